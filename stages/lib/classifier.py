"""The objective classify: a linear head over the standardised, mean-pooled states of an encoder or decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stages.lib.attention import choose_attention
from stages.lib.model import Compute, ModelParams, autocast
from stages.lib.notes import Loss, Notes, forward_passes, pad, tokenize
from stages.lib.trunk import Trunk, frozen_trunk

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase


SAMPLE = 256  # notes from which the head learns how states vary


@dataclass(frozen=True)
class Classifier:
    """A network, its head and what they need to read a note."""

    network: Any
    head: torch.nn.Sequential
    tokenizer: PreTrainedTokenizerBase
    model: ModelParams
    compute: Compute
    device: torch.device
    trunk: Trunk | None = None
    token_dropout: float = 0.0
    findings: torch.nn.Linear | None = None
    findings_weight: float = 0.0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of notes."""
        return tokenize(texts, self.tokenizer, max_length=self.model.max_length, keep=self.model.keep)

    def weights(self) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
        """Return what is trained, in a fixed order: the adapter's weights and those of the heads."""
        heads = [*self.head.parameters(), *(self.findings.parameters() if self.findings else ())]
        return [weight for weight in self.network.parameters() if weight.requires_grad], heads

    def prepare(self, train: Notes, validation: Notes) -> Classifier:
        """Return the same learner, made fast for these notes: see `choose_attention`, `frozen_trunk`, `standardise`."""
        tokens = [*train.tokens, *validation.tokens]
        choose_attention(self.network, longest=max(map(len, tokens)), compute=self.compute, device=self.device)
        pad_id = self.tokenizer.pad_token_id
        found = frozen_trunk(self.network, tokens, pad_id=pad_id, compute=self.compute, device=self.device)
        learner = replace(self, trunk=found, findings=_findings_head(train, self.head[1], self.device))
        learner.standardise(train)
        return learner

    def standardise(self, notes: Notes) -> None:
        """Let the head subtract the mean of the untrained model's states and divide by their standard deviation.

        What all notes have in common is several times as large as what tells them apart, and a linear head, or what
        is trained below it, learns slowly beside it. The statistics stay as they are.
        """
        import torch

        sample = notes.tokens[:: math.ceil(len(notes.tokens) / SAMPLE)]
        states = torch.from_numpy(forward_passes(sample, self._states, batch_size=self.compute.batch_size))
        statistics = self.head[0].state_dict()
        statistics["running_mean"].copy_(states.mean(0))
        statistics["running_var"].copy_(states.var(0, unbiased=False))

    def loss(self, notes: Notes, rows: Sequence[int], *, smoothing: float) -> Loss:
        """Return the sum of the rows' cross entropies and, where findings are learnt, theirs by their weight."""
        import torch

        states = self.head[0](self._states([self._thinned(notes.tokens[row]) for row in rows]))
        target = torch.tensor([notes.targets[row] for row in rows], device=self.device)
        own = torch.nn.functional.cross_entropy(
            self.head[1](states), target, label_smoothing=smoothing, reduction="sum"
        )
        if self.findings is None:
            return Loss(own, own, len(rows))
        logits = self.findings(states)
        affirmed = torch.zeros_like(logits)
        for place, row in enumerate(rows):
            affirmed[place, notes.findings[row]] = 1
        other = torch.nn.functional.binary_cross_entropy_with_logits(logits, affirmed, reduction="sum")
        return Loss(own + self.findings_weight * other, own, len(rows))

    def _thinned(self, tokens: list[int]) -> list[int]:
        """Return a note without a random share of its tokens, but never without all (Iyyer et al. 2015)."""
        import torch

        if not self.token_dropout:
            return tokens
        kept = torch.rand(len(tokens)) >= self.token_dropout
        return [token for token, stays in zip(tokens, kept.tolist(), strict=True) if stays] or tokens

    def scores(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Return logits, (notes, diagnoses), float32."""
        return forward_passes(tokens, self._logits, batch_size=self.compute.batch_size)

    def _logits(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        logits: torch.Tensor = self.head(self._states(tokens))
        return logits

    def _states(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        skipped = self.trunk.skipped(tokens) if self.trunk else nullcontext()
        with autocast(self.compute, self.device), skipped:
            return pooled(self.network, pad(tokens, self.tokenizer.pad_token_id, self.device))


def make_head(width: int, diagnoses: int, device: torch.device) -> torch.nn.Sequential:
    """Return a head that standardises nothing yet (see `Classifier.standardise`) and gives every diagnosis the same."""
    from torch import nn

    linear = nn.Linear(width, diagnoses)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.BatchNorm1d(width, affine=False), linear).eval().to(device)


def _findings_head(notes: Notes, beside: Any, device: torch.device) -> torch.nn.Linear | None:
    """Return a head for the same states that gives every finding its share of the notes; null where they have none."""
    import torch

    if not notes.findings:
        return None
    counts = torch.bincount(torch.tensor([number for found in notes.findings for number in found]))
    head = torch.nn.Linear(beside.in_features, len(counts))
    torch.nn.init.zeros_(head.weight)
    head.bias.data.copy_((counts / len(notes.findings)).logit())
    return head.to(device)


def pooled(trunk: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the last states averaged over each note's tokens: (notes, hidden), float32."""
    states = trunk(**batch).last_hidden_state.float()
    mask = batch["attention_mask"].unsqueeze(-1)
    mean: torch.Tensor = (states * mask).sum(1) / mask.sum(1)
    return mean


def embed(
    trunk: Any, tokens: Sequence[Sequence[int]], *, pad_id: int, compute: Compute, device: torch.device
) -> np.ndarray:
    """Return the mean-pooled states of a trunk as `freeze` leaves it, (notes, hidden), float32."""

    def states(batch: list[Sequence[int]]) -> torch.Tensor:
        with autocast(compute, device):
            return pooled(trunk, pad(batch, pad_id, device))

    return forward_passes(tokens, states, batch_size=compute.batch_size)
