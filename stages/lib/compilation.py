"""Compiled layers: a step makes fewer passes over memory, after a wait before the first."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from stages.lib.stage import StageError, cache_folder, log
from stages.lib.trunk import layers_of

if TYPE_CHECKING:
    from stages.lib.adapter import Learner
    from stages.lib.notes import Notes


def compile_layers(learner: Learner, notes: Notes, *, rows: int) -> None:
    """Compile the layers that are trained, by a pass over the first `rows` notes; raise StageError where none can be.

    Layers are alike, so that one is compiled for all of them, and for notes of any length. Its code depends on the
    pass that it is made for, and what comes from a cache of graphs on the passes of earlier runs: so a run that goes
    on begins with the same pass, and what is kept is machine code by its source alone.
    """
    import torch
    from torch._dynamo.exc import TorchDynamoException

    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache_folder("compiled"))  # and not a folder of /tmp, where all write
    for layer in layers_of(learner.network)[learner.trunk.depth if learner.trunk else 0 :]:
        layer.compile(dynamic=True, options={"fx_graph_cache": False, "fallback_random": True})
    log.info("compiling the layers, which takes a while")
    learner.network.train()
    first = range(min(rows, len(notes.tokens)))
    try:
        with torch.random.fork_rng([learner.device] if learner.device.type == "cuda" else []):
            learner.loss(notes, first, smoothing=0.0).total.backward()  # type: ignore[no-untyped-call]
    except TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        raise StageError(
            f"params.yaml: train.compile: true: {reason}; install a C++ compiler, such as g++, or set false"
        ) from None
    for group in learner.weights():
        for weight in group:
            weight.grad = None


def uncompiled() -> AbstractContextManager[None]:
    """Return the context in which layers run as they are, as in the stages that predict with them."""
    import torch

    return torch.compiler.set_stance("force_eager")  # type: ignore[no-any-return]
