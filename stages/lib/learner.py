"""Fit a learner: token ids and targets in, weights of the best epoch left in its modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.lib.adapter import Learner, LoraParams
from stages.lib.notes import Notes, bucketed
from stages.lib.stage import StageError, Strict, log, progress

if TYPE_CHECKING:
    import torch


class TrainParams(Strict):
    """How the model is fitted."""

    objective: Literal["classify", "generate"]
    """`classify`: a linear head over mean-pooled states; `generate`: a decoder answers with the diagnosis."""
    epochs: int = Field(ge=1, le=1000)
    """Most passes over the training split."""
    patience: int = Field(ge=1, le=1000)
    """Epochs without a better validation log loss before training stops."""
    batch_size: int = Field(ge=1, le=4096)
    """Notes per step."""
    learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate of the LoRA weights."""
    head_learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate of the head of `classify`."""
    weight_decay: float = Field(ge=0, le=1)
    """AdamW's weight decay."""
    warmup: float = Field(ge=0, lt=1)
    """Share of all steps over which the learning rate rises; it then falls linearly to 0."""
    label_smoothing: float = Field(ge=0, lt=1)
    """Probability mass taken from the gold diagnosis, or token, and spread over all (Szegedy et al. 2016)."""
    lora: LoraParams
    """The adapter."""


def fit(learner: Learner, notes: dict[str, Notes], settings: TrainParams, *, seed: int) -> list[dict[str, float]]:
    """Train in place, leave the weights of the best epoch, and return a row per epoch, losses in nats per note.

    Of `generate`, the training loss is that of the answer's tokens, the validation loss that of the diagnosis among
    all, as for `classify`. Raise StageError where the loss is no longer a number.
    """
    import torch

    step = stepper(learner, settings, notes=len(notes["train"].tokens))
    generator = torch.Generator().manual_seed(seed)
    lengths = [len(ids) for ids in notes["train"].tokens]
    weights = [weight for group in learner.weights() for weight in group]
    history: list[dict[str, float]] = []
    best: list[torch.Tensor] = []
    for epoch in range(1, settings.epochs + 1):
        learner.network.train()
        batches = list(bucketed(lengths, settings.batch_size, generator=generator))
        total = 0.0
        for rows in progress(batches, description=f"epoch {epoch} of {settings.epochs}", total=len(batches)):
            loss, count = learner.loss(notes["train"], rows, smoothing=settings.label_smoothing)
            step(loss / count)
            total += loss.item()
        loss_of_validation, accuracy = _validate(learner, notes["validation"])
        if not math.isfinite(total + loss_of_validation):
            raise StageError(f"train: the loss is not finite in epoch {epoch}; lower train.learning_rate")
        row = {"epoch": epoch, "train": total / len(lengths), "validation": loss_of_validation}
        history.append(row | {"validation_accuracy": accuracy})
        log.info("epoch %d: train %.3f, validation %.3f, validation accuracy %.3f", *history[-1].values())
        leader = min(history, key=lambda row: row["validation"])["epoch"]
        if leader == epoch:
            best = [weight.detach().clone() for weight in weights]
        elif epoch - leader >= settings.patience:
            break
    for weight, kept in zip(weights, best, strict=True):
        weight.data.copy_(kept)
    return history


def stepper(learner: Learner, settings: TrainParams, *, notes: int) -> Callable[[torch.Tensor], None]:
    """Return the function that takes one optimizer step down a loss; `notes` are those of an epoch."""
    import torch
    from transformers import get_scheduler

    adapted, head = learner.weights()
    groups = [
        {"params": adapted, "lr": settings.learning_rate},
        {"params": head, "lr": settings.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    steps = settings.epochs * math.ceil(notes / settings.batch_size)
    schedule = get_scheduler("linear", optimizer, int(settings.warmup * steps), steps)

    def step(loss: torch.Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([*adapted, *head], 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    return step


def _validate(learner: Learner, notes: Notes) -> tuple[float, float]:
    """Return log loss of the diagnoses, and accuracy."""
    import numpy as np
    from scipy.special import log_softmax

    learner.network.eval()
    scores = log_softmax(learner.scores(notes.tokens).astype("float64"), axis=1)
    targets = np.array(notes.targets)
    return float(-scores[np.arange(len(targets)), targets].mean()), float((scores.argmax(axis=1) == targets).mean())
