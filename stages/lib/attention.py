"""The way in which a model that trains computes attention: the fastest of those that give the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.lib.model import Compute

if TYPE_CHECKING:
    import torch

LONGEST = 352  # tokens: plain products are faster at 288, slower at 384, and keep a weight for each pair of tokens


def choose_attention(network: Any, *, longest: int, compute: Compute, device: torch.device) -> None:
    """Let a network that reads at most `longest` tokens attend by plain matrix products where these are faster.

    That is in bfloat16 on the CPU: the backward pass of torch's fused kernel takes two to three times as long there.
    """
    if device.type == "cpu" and compute.precision == "bfloat16" and longest <= LONGEST:
        network.set_attn_implementation("eager")
