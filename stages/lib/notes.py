"""Notes as token ids, in padded batches: texts in, what a model reads out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from stages.lib.placeholders import PLACEHOLDER, outside_placeholders
from stages.lib.stage import log, progress

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase

WIDTH_STEP = 16
SIDES: dict[str, Literal["left", "right"]] = {"start": "right", "end": "left"}  # kept: where tokenizers cut


@dataclass(frozen=True)
class Notes:
    """Token ids of notes, or of prompts with a note in each, and the index of each one's diagnosis.

    `findings` are those of each note, see `common_findings`; empty where they are not learnt.
    """

    tokens: list[list[int]]
    targets: list[int]
    findings: list[list[int]] = field(default_factory=list)


class Loss(NamedTuple):
    """What a step descends, the part of it that is the diagnosis's, in nats, and by how many it divides both."""

    total: torch.Tensor
    diagnosis: torch.Tensor
    divisor: int


def in_small_letters(text: str) -> str:
    """Return a text written mostly in capitals, as notes may be, in small letters, but for placeholders; else as it is.

    Tokenizers break capitals into pieces that a model has hardly seen.
    """
    rest = PLACEHOLDER.sub("", text)
    capitals = sum(map(str.isupper, rest)) > sum(map(str.islower, rest))
    return outside_placeholders(text, str.lower) if capitals else text


def longer(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_length: int, special: bool = True
) -> list[bool]:
    """Tell of each text whether it has more than `max_length` tokens, special ones counted unless told not to."""
    encoded = tokenizer([*map(in_small_letters, texts)], add_special_tokens=special)["input_ids"]
    found = [len(ids) > max_length for ids in encoded]
    if any(found):
        log.info("%d of %d notes are longer than max_length = %d tokens: cut", sum(found), len(found), max_length)
    return found


def tokenize(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_length: int, keep: str = "start"
) -> list[list[int]]:
    """Return the token ids of each text, special tokens included, of long ones those at the start or end."""
    tokenizer.truncation_side = SIDES[keep]
    encoded = tokenizer([*map(in_small_letters, texts)], truncation=True, max_length=max_length)["input_ids"]
    return [list(ids) or [tokenizer.pad_token_id] for ids in encoded]


def shorten(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_length: int, keep: str) -> list[str]:
    """Return each text, cut to the `max_length` tokens at its start or end, to be put into a prompt."""
    texts = [*map(in_small_letters, texts)]
    encoded = tokenizer(texts, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    short = []
    for text, spans in zip(texts, encoded, strict=True):
        kept = spans[:max_length] if keep == "start" else spans[-max_length:]
        short.append(text[kept[0][0] : kept[-1][1]] if len(kept) < len(spans) else text)
    return short


def pad(tokens: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask` of shape (notes, longest), the longest rounded up.

    Few widths let the CPU's kernels be used again, and memory stays flat.
    """
    import torch

    width = math.ceil(max(map(len, tokens)) / WIDTH_STEP) * WIDTH_STEP
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in tokens], dtype=torch.long)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in tokens], dtype=torch.long)
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}


def forward_passes(
    tokens: Sequence[Sequence[int]], apply: Callable[[list[Sequence[int]]], torch.Tensor], *, batch_size: int
) -> np.ndarray:
    """Return what `apply` makes of each note, (notes, columns), float32, in the order of `tokens`.

    Notes of like length share a batch, so that little is spent on padding.
    """
    import numpy as np
    import torch

    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    starts = range(0, len(order), batch_size)
    parts = []
    with torch.inference_mode():
        for first in progress(starts, description="forward passes", total=len(starts)):
            batch = [tokens[row] for row in order[first : first + batch_size]]
            parts.append(apply(batch).float().cpu().numpy())
    found: np.ndarray = np.concatenate(parts)[np.argsort(order)]
    return found


def drawn_evenly(targets: Sequence[int], *, generator: torch.Generator) -> list[int]:
    """Return as many rows as there are targets: each target, and each row of one, as often as the others, to one."""
    import torch

    rows_of: dict[int, list[int]] = {}
    for row, target in enumerate(targets):
        rows_of.setdefault(target, []).append(row)
    share, more = divmod(len(targets), len(rows_of))
    drawn: list[int] = []
    for place, index in enumerate(torch.randperm(len(rows_of), generator=generator).tolist()):
        own = list(rows_of.values())[index]
        times, rest = divmod(share + (place < more), len(own))
        once_more = torch.randperm(len(own), generator=generator).tolist()[:rest]
        drawn += own * times + [own[chosen] for chosen in once_more]
    return drawn


def bucketed(
    lengths: Sequence[int], batch_size: int, *, generator: torch.Generator, rows: Sequence[int] | None = None
) -> Iterator[list[int]]:
    """Yield one epoch of shuffled batches whose notes are of like length: of `rows`, or of all notes."""
    import torch

    rows = range(len(lengths)) if rows is None else rows
    shuffled = [rows[index] for index in torch.randperm(len(rows), generator=generator).tolist()]
    pool = batch_size * 16
    batches = []
    for first in range(0, len(shuffled), pool):
        near = sorted(shuffled[first : first + pool], key=lambda index: lengths[index])
        batches += [near[start : start + batch_size] for start in range(0, len(near), batch_size)]
    for index in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[index]
