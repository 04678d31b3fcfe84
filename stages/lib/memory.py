"""Memory: what is free, what a model needs before it is loaded, and what to change where it does not suffice."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.model import Compute, ModelParams
from stages.lib.stage import StageError

if TYPE_CHECKING:
    import torch

TRAINING = (
    "raise train.accumulation, set train.gradient_checkpointing to true, lower train.batch_size, model.max_length or "
    "model.layers, or set model.quantisation"
)
PREDICTION = "lower compute.batch_size"
SMALLER = "lower model.layers, set train.lora or model.quantisation, or choose a smaller base model"

GIB = 2**30
TRAINED = 20  # bytes of a weight in float32, its gradient, two moments of AdamW and its copy of the best epoch
SPENT = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")  # of CUDA or MPS, the CPU, cuBLAS
ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+ \w+)")
LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks)\.(\d+)\.")
OUTPUT = re.compile(r"(?:^|\.)(?:lm_head|pooler|cls)\.")  # heads, which are not loaded, or share the embeddings

# Versions 2 and 1 of control groups: folder, limit, use and, in memory.stat, the cached files that make way.
GROUPS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


@contextmanager
def explained(advice: str) -> Iterator[None]:
    """Turn the ways in which torch and NumPy run out of memory into one StageError that ends with the advice."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(mark in str(error) for mark in SPENT):
            raise
        asked = ASKED.search(str(error))
        raise StageError(f"out of memory{f' (asked for {asked[1]} more)' if asked else ''}: {advice}") from error


def require_memory(folder: Path, model: ModelParams, *, compute: Compute, device: torch.device, full: bool) -> None:
    """Raise StageError where the weights in a folder cannot fit; `full` counts what training all of them takes.

    A lower bound, from the headers of safetensors: what a batch needs is not known before it is tried.
    """
    import torch

    inside, outside = _weights(folder, model.layers)
    held = 4.0 if compute.precision == "float32" or device.type == "cpu" else 2.0  # bytes of a frozen weight
    needs = {device: held * inside + 4 * outside, torch.device("cpu"): 4.0 * (inside + outside)}  # read in float32
    if model.quantisation:
        needs = {device: model.quantisation / 8 * inside + 4 * outside}
    if full:
        needs[device] = TRAINED * (inside + outside)
    for place, needed in needs.items():
        if needed > (free := free_memory(place)):
            raise StageError(
                f"{folder}: its weights need {needed / GIB:.1f} GiB{' to be trained' if full else ''}, and "
                f"{free / GIB:.1f} GiB are free on {place.type}: {SMALLER}"
            )


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a device; of the CPU's, what a container's limit leaves."""
    import psutil  # type: ignore[import-untyped]
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(float(psutil.virtual_memory().available), group_memory())


def group_memory(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Return the bytes that the limits of this process's control groups leave, infinite without limits."""
    left = [math.inf]
    lines = own.read_text().splitlines() if own.exists() else []
    for controller, limit, use, cached in GROUPS:
        name = next((path for _, kind, path in (line.split(":", 2) for line in lines) if kind == controller), "/")
        top = root / controller
        for group in (folder := top / name.lstrip("/"), *folder.parents):
            if group.is_relative_to(top) and (group / limit).exists():
                stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                spare = int(stat.get(cached, 0)) - int((group / use).read_text())
                bound = (group / limit).read_text().strip()
                left += [int(bound) + spare] if bound != "max" else []
    return min(left)


def _weights(folder: Path, layers: int | None) -> tuple[int, int]:
    """Return how many weights are in the layers that are kept, and how many outside of layers and heads."""
    from safetensors import safe_open

    inside = outside = 0
    for file in sorted(folder.glob("model*.safetensors")):
        with safe_open(file, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                size = math.prod(tensors.get_slice(name).get_shape())
                if not (layer := LAYER.search(name)):
                    outside += 0 if OUTPUT.search(name) else size
                elif layers is None or int(layer[1]) < layers:
                    inside += size
    return inside, outside
