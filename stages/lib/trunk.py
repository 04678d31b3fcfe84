"""The trunk, the layers below the first that is trained: token ids in, its states out, computed once and reused.

Where LoRA sits on upper layers only, no step changes the layers below: what they make of a note is the same in every
epoch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.model import Compute, autocast
from stages.lib.notes import pad
from stages.lib.stage import log, progress

if TYPE_CHECKING:
    import torch

MEMORY_SHARE = 0.25  # of what the machine has, not of what is free: bytes must not depend on what else runs
LIMITS = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]  # of a container
TOLERANCE = 1e-3  # of the largest last state, between the two ways


@dataclass(frozen=True)
class Trunk:
    """The first `depth` layers of a model, none of which is trained, and their states by the token ids of a note.

    States are (tokens, hidden), float32, in the machine's memory. In training too these layers run without dropout,
    or no state could be used twice.
    """

    model: Any
    depth: int
    pad_id: int
    compute: Compute
    device: torch.device
    states: dict[tuple[int, ...], torch.Tensor] = field(default_factory=dict)

    @contextmanager
    def skipped(self, tokens: Sequence[Sequence[int]]) -> Iterator[None]:
        """Let the model, called on these notes in this order, begin at layer `depth`."""
        known = [self.states.get(tuple(ids)) for ids in tokens]
        found = [state for state in known if state is not None]
        if len(found) < len(tokens):
            found = self.states_of(tokens)

        def states(hidden: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
            padded = hidden.new_zeros(hidden.shape)
            for row, state in enumerate(found):
                padded[row, : len(state)] = state.to(hidden.device)
            return padded

        *below, last = layers_of(self.model)[: self.depth]
        with _replaced(below, _same), _replaced([last], states):
            yield

    def states_of(self, tokens: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Compute the states of notes by a pass through the first layers."""
        found: list[torch.Tensor] = []
        below, above = layers_of(self.model)[: self.depth], layers_of(self.model)[self.depth :]
        hook = below[-1].register_forward_hook(lambda _, __, output: found.append(output))
        with self._inference(), _replaced(above, _same):
            self.model(**pad(tokens, self.pad_id, self.device))
        hook.remove()
        return [state[: len(ids)].to("cpu", copy=True) for state, ids in zip(found[0], tokens, strict=True)]

    def is_exact(self, tokens: Sequence[int]) -> bool:
        """Tell whether the model reads a note the same from its states: not where layers share more than these."""
        if getattr(self.model.config.get_text_config(), "num_kv_shared_layers", 0):
            return False
        batch = pad([tokens], self.pad_id, self.device)
        with self._inference():
            plain = self.model(**batch).last_hidden_state[0, : len(tokens)]
            with self.skipped([tokens]):
                reused = self.model(**batch).last_hidden_state[0, : len(tokens)]
        return bool((plain - reused).abs().max() <= TOLERANCE * plain.abs().max())

    @contextmanager
    def _inference(self) -> Iterator[None]:
        import torch

        training = self.model.training
        self.model.eval()
        with torch.no_grad(), autocast(self.compute, self.device):
            yield
        self.model.train(training)


def frozen_trunk(
    network: Any, notes: Sequence[Sequence[int]], *, pad_id: int, compute: Compute, device: torch.device
) -> Trunk | None:
    """Return the trunk below the first layer with weights to train, with its states of notes, or None without one.

    States that take too much memory are left out, and computed at every pass.
    """
    model = getattr(network, "get_base_model", lambda: network)().base_model
    if not (depth := _depth(network, layers_of(model))):
        return None
    trunk = Trunk(model, depth, pad_id, compute, device)
    distinct = sorted({tuple(ids) for ids in notes}, key=lambda ids: (len(ids), ids))
    if not trunk.is_exact(distinct[-1]):
        log.info("the states of the first %d layers, which are frozen, do not make up what follows: not reused", depth)
        return None
    needed = sum(map(len, distinct)) * model.config.get_text_config().hidden_size * 4
    size = f"the states of the first {depth} layers, which are frozen, take {needed / 2**30:.2f} GiB"
    if needed > MEMORY_SHARE * _memory():
        log.info("%s, more than %.0f %% of the memory: computed at every pass", size, 100 * MEMORY_SHARE)
        return trunk
    log.info("%s: computed once", size)
    starts = range(0, len(distinct), compute.batch_size)
    for first in progress(starts, description="frozen layers", total=len(starts)):
        batch = distinct[first : first + compute.batch_size]
        trunk.states.update(zip(batch, trunk.states_of(batch), strict=True))
    return trunk


def layers_of(model: Any) -> Sequence[Any]:
    """Return a model's layers, in order; none where it has another form."""
    from torch.nn import ModuleList

    count = model.config.get_text_config().num_hidden_layers
    lists = (module for module in model.modules() if isinstance(module, ModuleList) and len(module) == count)
    return list(next(lists, []))


def _depth(network: Any, layers: Sequence[Any]) -> int:
    """Return how many first layers hold nothing that is trained: 0 where something outside all layers is."""
    trained = [sum(weight.requires_grad for weight in layer.parameters()) for layer in layers]
    if sum(trained) != sum(weight.requires_grad for weight in network.parameters()):
        return 0
    return next((depth for depth, count in enumerate(trained) if count), 0)


def _memory() -> int:
    """Return the bytes that the machine has, or the container is given."""
    limits = [path.read_text().strip() for path in LIMITS if path.exists()]
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([total, *(int(limit) for limit in limits if limit != "max")])


@contextmanager
def _replaced(layers: Sequence[Any], forward: Callable[..., torch.Tensor]) -> Iterator[None]:
    for layer in layers:
        layer.forward = forward
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _same(hidden: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    return hidden
