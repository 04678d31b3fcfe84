"""One optimizer step after the other: rows of notes in, weights changed in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.lib.adapter import Learner
from stages.lib.notes import Notes
from stages.lib.workers import Workers

if TYPE_CHECKING:
    import torch

    from stages.lib.learner import TrainParams


@dataclass(frozen=True)
class Step:
    """What takes the steps: a learner, its optimizer and its schedule."""

    learner: Learner
    settings: TrainParams
    workers: Workers
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler

    @property
    def weights(self) -> list[torch.nn.Parameter]:
        """Return what is trained, in a fixed order."""
        return [weight for group in self.learner.weights() for weight in group]

    def __call__(self, notes: Notes, rows: Sequence[int]) -> float:
        """Take a step, and return the sum of the rows' losses of the diagnosis in nats, on all workers.

        Gradients are of the mean over all that the loss is summed over, so that neither workers nor accumulation
        change more than rounding. Where loss or gradient is not finite no step is taken, and nan returned.
        """
        import torch

        weights, sums = self.weights, torch.zeros(2, device=self.learner.device)
        size = math.ceil(len(rows) / self.settings.accumulation)
        for part in (rows[first : first + size] for first in range(0, len(rows), size)):
            own = self.workers.share(part)  # without rows one is computed for nothing: a sharded model needs everyone
            loss = self.learner.loss(notes, own or part[:1], smoothing=self.settings.label_smoothing)
            (loss.total * bool(own)).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([loss.diagnosis.detach(), loss.diagnosis.new_tensor(loss.divisor)]) * bool(own)
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        self.workers.sum([sums, *gradients])
        total, count = sums.tolist()
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient.div_(count)
        norm = torch.nn.utils.clip_grad_norm_(weights, self.settings.max_gradient_norm)
        if finite := math.isfinite(total) and math.isfinite(norm.item()):
            self.optimizer.step()
            self.schedule.step()
        self.optimizer.zero_grad()
        return total if finite else math.nan


def make_step(learner: Learner, settings: TrainParams, *, steps: int, workers: Workers) -> Step:
    """Return a fresh AdamW (Loshchilov and Hutter 2019) of the learner's weights, on a schedule of `steps` steps."""
    import torch
    from transformers import get_scheduler

    adapted, head = learner.weights()
    groups = [
        {"params": adapted, "lr": settings.learning_rate},
        {"params": head, "lr": settings.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    name = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
    schedule = get_scheduler(name, optimizer, int(settings.warmup * steps), steps)
    return Step(learner, settings, workers, optimizer, schedule)
