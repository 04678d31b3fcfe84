"""Fit a learner: token ids and targets in, weights of the best epoch left in its modules."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stages.lib.adapter import Learner
from stages.lib.checkpoint import Checkpoint, Position
from stages.lib.classifier import Classifier
from stages.lib.compilation import compile_layers, uncompiled
from stages.lib.curves import Curves
from stages.lib.lora import LoraParams
from stages.lib.notes import Notes, bucketed, drawn_evenly
from stages.lib.stage import StageError, Strict
from stages.lib.step import Step, make_step
from stages.lib.workers import Workers

if TYPE_CHECKING:
    import torch


class TrainParams(Strict):
    """How the model is fitted."""

    objective: Literal["classify", "generate"]
    """`classify`: a linear head over mean-pooled, standardised states; `generate`: a decoder names the diagnosis."""
    epochs: int = Field(ge=1, le=1000)
    """Most passes over the training split."""
    steps: int | None = Field(ge=1, le=10_000_000)
    """Most optimizer steps; null: as many as the epochs have."""
    patience: int = Field(ge=1, le=1000)
    """Epochs without a better `monitor` before training stops."""
    monitor: Literal["log_loss", "macro_f1"]
    """Measure on the validation split that chooses the best epoch."""
    batch_size: int = Field(ge=1, le=4096)
    """Notes per optimizer step, over all workers."""
    accumulation: int = Field(ge=1, le=4096)
    """Parts of a batch that go through the model one after the other, to save memory; only rounding changes."""
    balanced: bool
    """Draw every diagnosis equally often, the notes of rare ones repeatedly; an epoch keeps its number of notes."""
    learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate of the LoRA weights, or of all weights of the base model."""
    head_learning_rate: float = Field(gt=0, le=1)
    """Peak learning rate of the head of `classify`."""
    weight_decay: float = Field(ge=0, le=1)
    """AdamW's weight decay."""
    warmup: float = Field(ge=0, lt=1)
    """Share of all steps over which the learning rates rise from 0."""
    schedule: Literal["linear", "cosine", "constant"]
    """After the warm-up: down to 0 in a line or in half a cosine wave, or not at all."""
    max_gradient_norm: float = Field(gt=0, le=1e6)
    """Longer gradients are scaled down to this norm (Pascanu et al. 2013)."""
    token_dropout: float = Field(ge=0, lt=1)
    """Share of a note's tokens that `classify` is not shown, others at each step, lest it lean on few of them.

    States of frozen layers are then computed anew at each step.
    """
    findings_weight: float = Field(ge=0, le=100)
    """Weight of a second loss of `classify`: a note's findings (phenotypes, and what HPO has above them), learnt beside
    its diagnosis by a head that is then thrown away (multi-task learning, Caruana 1997). 0: none.
    """
    label_smoothing: float = Field(ge=0, lt=1)
    """Probability mass taken from the gold diagnosis, or token, and spread over all (Szegedy et al. 2016)."""
    gradient_checkpointing: bool
    """Compute activations again in the backward pass instead of keeping them: less memory, more time."""
    compile: bool
    """Train through torch.compile: steps take less time, after some to compile, for which a C++ compiler is needed.

    Only rounding changes.
    """
    lora: LoraParams | None
    """The adapter; null trains all weights."""


def fit(
    learner: Learner,
    notes: dict[str, Notes],
    settings: TrainParams,
    *,
    seed: int,
    workers: Workers,
    checkpoint: Checkpoint | None = None,
    curves: Curves | None = None,
) -> list[dict[str, float]]:
    """Train in place, leave the weights of the best epoch, and return a row per epoch, losses in nats per note.

    Of `generate`, the training loss is that of the answer's tokens, the validation loss that of the diagnosis among
    all, as for `classify`. Raise StageError where a loss is no longer a number.
    """
    learner = learner.prepare(notes["train"], notes["validation"])
    if isinstance(learner, Classifier):
        learner = replace(learner, token_dropout=settings.token_dropout, findings_weight=settings.findings_weight)
    train, whole = notes["train"], settings.epochs * math.ceil(len(notes["train"].tokens) / settings.batch_size)
    steps = min(whole, settings.steps or whole)
    step = make_step(learner, settings, steps=steps, workers=workers)
    if settings.compile:
        compile_layers(learner, train, rows=math.ceil(settings.batch_size / settings.accumulation))
    at, best = checkpoint.resume(step, steps) if checkpoint else (Position(), [])
    run = Run(step, steps, at, best, checkpoint, curves)
    for epoch, batches in _epochs(train, settings, seed=seed):
        if epoch < at.epoch:
            continue
        if at.steps == steps or _is_stale(at.history, settings):
            break
        learner.network.train()
        for rows in batches[at.batches :][: steps - at.steps]:
            run.take(train, rows)
        learner.network.eval()
        with uncompiled() if settings.compile else nullcontext():
            run.close(_validate(learner, notes["validation"], workers))
    for weight, kept in zip(step.weights, run.best, strict=True):
        weight.data.copy_(kept)
    return at.history


@dataclass
class Run:
    """A run, how far it has come, and where that is kept and shown; `best` are the weights of the best epoch."""

    step: Step
    steps: int
    at: Position
    best: list[torch.Tensor]
    checkpoint: Checkpoint | None
    curves: Curves | None

    def take(self, notes: Notes, rows: Sequence[int]) -> None:
        """Take a step down the loss of the rows."""
        loss, at = self.step(notes, rows), self.at
        self._require_finite(loss, f"the loss is not finite in step {at.steps + 1} (epoch {at.epoch})")
        at.advance(loss, notes=len(rows))
        if self.curves:
            tokens = sum(len(notes.tokens[row]) for row in rows)
            self.curves.step(at.steps, self.steps, loss=loss / len(rows), tokens=tokens)
        if self.checkpoint and self.checkpoint.due():
            self.checkpoint.save(self.step, at, self.best)

    def close(self, measured: dict[str, float]) -> None:
        """End the epoch with what was measured on the validation split."""
        self._require_finite(measured["validation"], f"the validation loss is not finite after epoch {self.at.epoch}")
        row = self.at.next_epoch(measured)
        if best_epoch(self.at.history, self.step.settings) is row:
            self.best = [weight.detach().to("cpu", copy=True) for weight in self.step.weights]
        if self.checkpoint:
            self.checkpoint.save(self.step, self.at, self.best)
        if self.curves:
            self.curves.epoch(row)

    def _require_finite(self, loss: float, reason: str) -> None:
        if not math.isfinite(loss):
            if self.checkpoint:
                self.checkpoint.remove()
            change = "lower train.learning_rate or train.max_gradient_norm, or set compute.precision to float32"
            raise StageError(f"train: {reason}; {change}")


def best_epoch(history: Sequence[dict[str, float]], settings: TrainParams) -> dict[str, float]:
    """Return the row of the best epoch by the monitored measure, the first of equals."""
    if settings.monitor == "macro_f1":
        return max(history, key=lambda row: row["validation_macro_f1"])
    return min(history, key=lambda row: row["validation"])


def _epochs(notes: Notes, settings: TrainParams, *, seed: int) -> Iterator[tuple[int, list[list[int]]]]:
    """Yield the number of each epoch and its batches of rows, whose order is a function of the seed alone."""
    import torch

    generator, lengths = torch.Generator().manual_seed(seed), [len(ids) for ids in notes.tokens]
    for epoch in range(1, settings.epochs + 1):
        rows = drawn_evenly(notes.targets, generator=generator) if settings.balanced else range(len(lengths))
        yield epoch, list(bucketed(lengths, settings.batch_size, generator=generator, rows=rows))


def _is_stale(history: Sequence[dict[str, float]], settings: TrainParams) -> bool:
    return bool(history) and len(history) - best_epoch(history, settings)["epoch"] >= settings.patience


def _validate(learner: Learner, notes: Notes, workers: Workers) -> dict[str, float]:
    """Return log loss, its standard error, accuracy and macro-averaged F1; every worker scores a share of the notes."""
    import numpy as np
    import torch
    from scipy.special import log_softmax
    from sklearn.metrics import f1_score

    own = workers.share(range(len(notes.tokens)))
    longest = math.ceil(len(notes.tokens) / workers.count)  # shares of one size: a sharded model needs every worker
    found = learner.scores([notes.tokens[row] for row in [*own, *[0] * (longest - len(own))]])[: len(own)]
    scores = torch.zeros(len(notes.tokens), found.shape[1], device=learner.device)
    scores[own] = torch.from_numpy(found).to(learner.device)
    workers.sum([scores])
    logs, targets = log_softmax(scores.cpu().numpy().astype("float64"), axis=1), np.array(notes.targets)
    predicted, losses = logs.argmax(axis=1), -logs[np.arange(len(targets)), targets]
    return {
        "validation": float(losses.mean()),
        "validation_error": float(losses.std() / math.sqrt(len(losses))),
        "validation_accuracy": float((predicted == targets).mean()),
        "validation_macro_f1": float(f1_score(targets, predicted, labels=np.unique(targets), average="macro")),
    }
