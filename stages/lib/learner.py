"""Fit a classifier: token ids and targets in, weights of the best epoch left in its modules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stages.lib.model import Compute, autocast, pad, pooled
from stages.lib.stage import StageError, Strict, log, progress

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


def fit(learner: Learner, notes: dict[str, Notes], settings: TrainParams, *, seed: int) -> list[dict[str, float]]:
    """Train in place, leave the weights of the best epoch, and return a row per epoch (losses in nats per note).

    Raise StageError where the loss is no longer a number.
    """
    import torch

    step = stepper(learner, settings, notes=len(notes["train"].tokens))
    generator = torch.Generator().manual_seed(seed)
    history: list[dict[str, float]] = []
    best: list[torch.Tensor] = []
    for epoch in range(1, settings.epochs + 1):
        learner.trunk.train()
        lengths = [len(ids) for ids in notes["train"].tokens]
        batches = list(bucketed(lengths, settings.batch_size, generator=generator))
        total = 0.0
        for rows in progress(batches, description=f"epoch {epoch} of {settings.epochs}", total=len(batches)):
            entropy, _ = learner.losses(notes["train"], rows, smoothing=settings.label_smoothing)
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
        elif epoch - leader >= settings.patience:
            break
    for weight, kept in zip(learner.weights(), best, strict=True):
        weight.data.copy_(kept)
    return history


def stepper(learner: Learner, settings: TrainParams, *, notes: int) -> Callable[[torch.Tensor], None]:
    """Return the function that takes one optimizer step down a loss; `notes` are those of an epoch."""
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


def bucketed(lengths: Sequence[int], batch_size: int, *, generator: torch.Generator) -> Iterator[list[int]]:
    """Yield one epoch of shuffled batches whose notes are of like length."""
    import torch

    shuffled = torch.randperm(len(lengths), generator=generator).tolist()
    pool = batch_size * 16
    batches = []
    for first in range(0, len(shuffled), pool):
        near = sorted(shuffled[first : first + pool], key=lambda index: lengths[index])
        batches += [near[start : start + batch_size] for start in range(0, len(near), batch_size)]
    for index in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[index]
