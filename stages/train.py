"""Fine-tune: training and validation records and a base model in, a LoRA adapter with its head and the curves out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stages.lib.model import (
    Compute,
    ModelParams,
    Specification,
    autocast,
    bucketed,
    load_tokenizer,
    load_trunk,
    pad,
    pooled,
    save_classifier,
    start,
    tokenize,
)
from stages.lib.records import read_records
from stages.lib.stage import In, Out, StageError, Strict, log, progress, run

if TYPE_CHECKING:
    import torch


class LoraParams(Strict):
    """Low-rank adaptation of all linear layers (Hu et al. 2022, LoRA)."""

    rank: int = Field(ge=1, le=1024)
    """Rank of each update."""
    alpha: int = Field(ge=1, le=4096)
    """Scale of the update, divided by the rank."""
    dropout: float = Field(ge=0, lt=1)
    """Dropout before the update, as a share."""


class TrainParams(Strict):
    """How the classifier is fitted."""

    objective: Literal["classify"]
    """`classify`: a linear head over mean-pooled states."""
    epochs: int = Field(ge=1, le=1000)
    """Most passes over the training split."""
    patience: int = Field(ge=1, le=1000)
    """Epochs without a better validation log loss before training stops."""
    batch_size: int = Field(ge=1, le=4096)
    """Notes per step."""
    learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate of the LoRA weights."""
    head_learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate of the head."""
    weight_decay: float = Field(ge=0, le=1)
    """AdamW's weight decay."""
    warmup: float = Field(ge=0, lt=1)
    """Share of all steps over which the learning rate rises; it then falls linearly to 0."""
    label_smoothing: float = Field(ge=0, lt=1)
    """Probability mass taken from the gold diagnosis and spread over all (Szegedy et al. 2016)."""
    lora: LoraParams
    """The adapter."""


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of initial weights, dropout and the order of notes."""
    compute: Compute
    """Device and precision."""
    model: ModelParams
    """The part of the base model that is used."""
    train: TrainParams
    """The fit."""


@dataclass(frozen=True)
class Notes:
    """Token ids of notes and the index of each one's diagnosis."""

    tokens: list[list[int]]
    targets: list[int]


@dataclass(frozen=True)
class Learner:
    """The modules that learn, and what a step needs."""

    trunk: Any
    head: torch.nn.Linear
    pad_id: int
    compute: Compute
    device: torch.device

    def weights(self) -> list[torch.nn.Parameter]:
        """Return what is trained, in a fixed order."""
        return [weight for module in (self.trunk, self.head) for weight in module.parameters() if weight.requires_grad]

    def losses(self, notes: Notes, rows: Sequence[int], *, smoothing: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each row's cross entropy, and whether the first diagnosis is the gold one."""
        import torch

        with autocast(self.compute, self.device):
            states = pooled(self.trunk, pad([notes.tokens[row] for row in rows], self.pad_id, self.device))
        logits = self.head(states)
        target = torch.tensor([notes.targets[row] for row in rows], device=self.device)
        entropy = torch.nn.functional.cross_entropy(logits, target, label_smoothing=smoothing, reduction="none")
        return entropy, logits.argmax(1) == target


def train(params: Params, train: In, validation: In, base: In, adapter: Out, training: Out, losses: Out) -> None:
    """Fine-tune a LoRA adapter and a classification head on the training split; keep the best epoch on validation."""
    import pandas as pd
    import torch

    device = start(params.compute)
    torch.manual_seed(params.seed)
    tokenizer = load_tokenizer(base)
    splits = {"train": read_records(train), "validation": read_records(validation)}
    diagnoses = sorted(splits["train"]["diagnosis"].unique())
    notes = {
        name: Notes(
            tokenize(records["text"].tolist(), tokenizer, max_length=params.model.max_length),
            [diagnoses.index(diagnosis) for diagnosis in records["diagnosis"]],
        )
        for name, records in splits.items()
    }
    trunk, head = build(params, base, classes=len(diagnoses))
    learner = Learner(trunk.to(device), head.to(device), tokenizer.pad_token_id, params.compute, device)
    history = fit(learner, notes, params)

    save_classifier(trunk, head, Specification(diagnoses, params.model.layers, params.model.max_length), adapter)
    pd.DataFrame(history).round(5).to_csv(losses, index=False)
    best = min(history, key=lambda row: row["validation"])
    summary = {
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "train_log_loss": round(best["train"], 5),
        "validation_log_loss": round(best["validation"], 5),
        "validation_accuracy": round(best["validation_accuracy"], 5),
        "trained_parameters": sum(weight.numel() for weight in learner.weights()),
        "tokens_per_epoch": sum(map(len, notes["train"].tokens)),
    }
    training.write_text(json.dumps(summary, indent=2) + "\n")


def build(params: Params, base: Path, *, classes: int) -> tuple[Any, torch.nn.Linear]:
    """Return the trunk with fresh LoRA weights and a head whose first predictions are uniform."""
    import torch
    from peft import LoraConfig, get_peft_model

    lora = params.train.lora
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear")
    trunk = get_peft_model(load_trunk(base, layers=params.model.layers), config)
    head = torch.nn.Linear(trunk.config.hidden_size, classes)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return trunk, head


def fit(learner: Learner, notes: dict[str, Notes], params: Params) -> list[dict[str, float]]:
    """Train in place, leave the weights of the best epoch, and return a row per epoch (losses in nats per note).

    Raise StageError where the loss is no longer a number.
    """
    import torch

    step = _stepper(learner, params.train, notes=len(notes["train"].tokens))
    generator = torch.Generator().manual_seed(params.seed)
    history: list[dict[str, float]] = []
    best: list[torch.Tensor] = []
    for epoch in range(1, params.train.epochs + 1):
        learner.trunk.train()
        lengths = [len(ids) for ids in notes["train"].tokens]
        batches = list(bucketed(lengths, params.train.batch_size, generator=generator))
        total = 0.0
        for rows in progress(batches, description=f"epoch {epoch} of {params.train.epochs}", total=len(batches)):
            entropy, _ = learner.losses(notes["train"], rows, smoothing=params.train.label_smoothing)
            step(entropy.mean())
            total += entropy.sum().item()
        loss, accuracy = _validate(learner, notes["validation"])
        if not math.isfinite(total + loss):
            raise StageError(f"train: the loss is not finite in epoch {epoch}; lower train.learning_rate")
        history.append(
            {"epoch": epoch, "train": total / len(lengths), "validation": loss, "validation_accuracy": accuracy}
        )
        log.info("epoch %d: train %.3f, validation %.3f, validation accuracy %.3f", *history[-1].values())
        leader = min(history, key=lambda row: row["validation"])["epoch"]
        if leader == epoch:
            best = [weight.detach().clone() for weight in learner.weights()]
        elif epoch - leader >= params.train.patience:
            break
    for weight, kept in zip(learner.weights(), best, strict=True):
        weight.data.copy_(kept)
    return history


def _stepper(learner: Learner, settings: TrainParams, *, notes: int) -> Callable[[torch.Tensor], None]:
    """Return the function that takes one optimizer step down a loss."""
    import torch
    from transformers import get_scheduler

    adapted = [weight for weight in learner.trunk.parameters() if weight.requires_grad]
    groups = [
        {"params": adapted, "lr": settings.learning_rate},
        {"params": list(learner.head.parameters()), "lr": settings.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(notes / settings.batch_size)
    schedule = get_scheduler("linear", optimizer, int(settings.warmup * steps), steps)

    def step(loss: torch.Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learner.weights(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    return step


def _validate(learner: Learner, notes: Notes) -> tuple[float, float]:
    """Return log loss and accuracy."""
    import torch

    learner.trunk.eval()
    order = sorted(range(len(notes.tokens)), key=lambda row: len(notes.tokens[row]))
    size = learner.compute.batch_size
    with torch.inference_mode():
        parts = [learner.losses(notes, order[first : first + size]) for first in range(0, len(order), size)]
    return torch.cat([loss for loss, _ in parts]).mean().item(), torch.cat(
        [hit for _, hit in parts]
    ).float().mean().item()


if __name__ == "__main__":
    run(train)
