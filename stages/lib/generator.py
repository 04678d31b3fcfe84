"""The objective generate: a language model that answers with a diagnosis, read as probabilities of all diagnoses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stages.lib.attention import choose_attention
from stages.lib.model import Compute, ModelParams, autocast, longest_input
from stages.lib.notes import Loss, Notes, forward_passes
from stages.lib.prompts import encode_labels, encode_prompts
from stages.lib.scoring import answer_logits, is_exact, label_tree, separate_scores, tree_scores
from stages.lib.stage import StageError, log
from stages.lib.trunk import Trunk, frozen_trunk

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase

PROBE = 4  # labels of the question whether a tree of them is exact


@dataclass(frozen=True)
class Generator:
    """A language model, the labels it may answer with, and whether all of them can be scored in one pass."""

    network: Any
    tokenizer: PreTrainedTokenizerBase
    model: ModelParams
    labels: list[list[int]]
    one_pass: bool
    compute: Compute
    device: torch.device
    trunk: Trunk | None = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of prompts; raise StageError where one leaves no room for the longest label."""
        prompts = encode_prompts(texts, self.tokenizer, self.model)
        needed, limit = max(map(len, prompts)) + max(map(len, self.labels)), longest_input(self.network, self.tokenizer)
        if needed > limit:
            raise StageError(
                f"params.yaml: model.max_length: {self.model.max_length}: the longest prompt with its answer has "
                f"{needed} tokens, and the base model reads {limit}; lower it, or shorten model.prompt"
            )
        return prompts

    def weights(self) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
        """Return what is trained, in a fixed order: the adapter's weights, and none of a head."""
        return [weight for weight in self.network.parameters() if weight.requires_grad], []

    def prepare(self, train: Notes, _: Notes) -> Generator:
        """Return the same learner, made fast for the training notes: see `choose_attention` and `frozen_trunk`."""
        tokens = self._read(train, range(len(train.tokens)))
        choose_attention(self.network, longest=max(map(len, tokens)), compute=self.compute, device=self.device)
        pad_id = self.tokenizer.pad_token_id
        found = frozen_trunk(self.network, tokens, pad_id=pad_id, compute=self.compute, device=self.device)
        return replace(self, trunk=found)

    def loss(self, notes: Notes, rows: Sequence[int], *, smoothing: float) -> Loss:
        """Return the sum of the cross entropies of the answers' tokens."""
        import torch

        prompts, answers = [notes.tokens[row] for row in rows], [self.labels[notes.targets[row]] for row in rows]
        skipped = self.trunk.skipped(self._read(notes, rows)) if self.trunk else nullcontext()
        with autocast(self.compute, self.device), skipped:
            logits, tokens = answer_logits(
                self.network, prompts, answers, pad_id=self.tokenizer.pad_token_id, device=self.device
            )
        total = torch.nn.functional.cross_entropy(logits, tokens, label_smoothing=smoothing, reduction="sum")
        return Loss(total, total, len(tokens))

    def _read(self, notes: Notes, rows: Sequence[int]) -> list[list[int]]:
        """Return what the network reads of rows in training: prompts, and answers but for the tokens that end them."""
        return [[*notes.tokens[row], *self.labels[notes.targets[row]][:-1]] for row in rows]

    def scores(self, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the log-likelihood of each label after each prompt, (prompts, labels), float32."""
        tree, pad_id = label_tree(self.labels), self.tokenizer.pad_token_id

        def apply(batch: list[Sequence[int]]) -> torch.Tensor:
            with autocast(self.compute, self.device):
                if self.one_pass:
                    return tree_scores(self.network, batch, tree, pad_id=pad_id, device=self.device)
                return separate_scores(self.network, batch, self.labels, pad_id=pad_id, device=self.device)

        return forward_passes(tokens, apply, batch_size=tree.prompts_per_pass(self.compute.batch_size))


def make_generator(
    network: Any,
    tokenizer: PreTrainedTokenizerBase,
    *,
    diagnoses: Sequence[str],
    model: ModelParams,
    compute: Compute,
    device: torch.device,
) -> Generator:
    """Return the generator of `diagnoses` with a model in float32 on the device."""
    labels = encode_labels(diagnoses, tokenizer)
    generator = Generator(network, tokenizer, model, labels, False, compute, device)
    (prompt,) = generator.encode(["fever"])
    if is_exact(network, prompt, labels[:PROBE], device=device):
        return replace(generator, one_pass=True)
    log.warning("this model cannot score labels as branches of one pass: each label takes a pass of its own")
    return generator
