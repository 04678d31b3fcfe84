"""What does not fit into memory is said in one line with what to change, before it is loaded where that is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from tiny_models import DECODERS, ENCODERS, save_model
from toy_learner import COMPUTE, HALF, LORA, make, specification

from stages.lib import memory
from stages.lib.lora import LoraParams
from stages.lib.memory import PREDICTION, TRAINING, explained, group_memory, require_memory
from stages.lib.model import Compute, load_trunk, start
from stages.lib.stage import StageError

CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which 1 GiB is free."
CPU = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.mark.parametrize(("error", "said"), [
    (RuntimeError(CUDA), r"^out of memory \(asked for 2.00 GiB more\): raise train.acc"),
    (RuntimeError(CPU), r"^out of memory \(asked for 9 bytes more\): raise train.acc"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), r"^out of memory: raise"),
    (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), r"^out of memory: raise"),
    (MemoryError(), r"^out of memory: raise"),
])  # fmt: skip
def test_running_out_of_memory_says_what_to_change(error: Exception, said: str) -> None:
    with pytest.raises(StageError, match=said) as found, explained(TRAINING):
        raise error
    assert "\n" not in str(found.value)
    for key in ("accumulation", "gradient_checkpointing", "batch_size", "max_length", "quantisation"):
        assert key in str(found.value)


def test_an_allocation_that_torch_refuses_is_explained() -> None:
    import torch

    assert issubclass(torch.OutOfMemoryError, RuntimeError)
    said = r"out of memory \(asked for \d+ bytes more\): lower compute.batch_size"
    with pytest.raises(StageError, match=said), explained(PREDICTION):
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explained(TRAINING):
        raise RuntimeError("shapes do not match")


@pytest.mark.parametrize("family", [*DECODERS, *ENCODERS])
@pytest.mark.parametrize("layers", [1, 3, None])
def test_weights_are_counted_before_they_are_loaded(
    family: str, layers: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_model(tmp_path, family)
    loaded = 4 * sum(weight.numel() for weight in load_trunk(base, layers=layers).parameters())
    model = specification("classify", layers=layers).model
    device = start(COMPUTE)
    monkeypatch.setattr(memory, "free_memory", lambda _: loaded)
    require_memory(base, model, compute=COMPUTE, device=device, full=False)
    monkeypatch.setattr(memory, "free_memory", lambda _: 0.9 * loaded)
    with pytest.raises(StageError, match="its weights need"):
        require_memory(base, model, compute=COMPUTE, device=device, full=False)


@pytest.mark.parametrize(("method", "compute", "bits", "expected"), [
    (LORA, COMPUTE, None, 4.0),
    (LORA, HALF, None, 2.0),
    (LORA, HALF, 8, 1.0),
    (LORA, HALF, 4, 0.5),
    (None, HALF, None, 20.0),
])  # fmt: skip
def test_what_a_weight_takes_depends_on_method_precision_and_bits(
    method: LoraParams | None,
    compute: Compute,
    bits: int | None,
    expected: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    inside, outside = 30 * 2**30, 2**30
    monkeypatch.setattr(memory, "_weights", lambda *_: (inside, outside))
    monkeypatch.setattr(memory, "free_memory", lambda device: 0 if device.type == "cuda" else math.inf)
    model = specification("classify", quantisation=bits).model
    needed = expected * 30 + (4 if method else expected) * 1
    with pytest.raises(StageError, match=rf"need {needed:.1f} GiB( to be trained)?, and 0.0 GiB are free on cuda: "):
        require_memory(tmp_path, model, compute=compute, device=torch.device("cuda"), full=method is None)


def test_a_model_that_does_not_fit_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = save_model(tmp_path, "llama")
    monkeypatch.setattr(memory, "free_memory", lambda _: 1000)
    with pytest.raises(StageError, match=r"its weights need 0.0 GiB, and 0.0 GiB are free on cpu: lower model.layers"):
        make(base, specification("classify"))


@pytest.mark.parametrize(("groups", "line", "left"), [
    ({"a/b": ("memory.max", 100, "memory.current", 80, "inactive_file 30")}, "0::/a/b", 50),
    ({"a/b": ("memory.max", "max", "memory.current", 80, "anon 1"),
      "a": ("memory.max", 100, "memory.current", 90, "anon 1")}, "0::/a/b", 10),
    ({"memory": ("memory.limit_in_bytes", 100, "memory.usage_in_bytes", 70, "total_inactive_file 5")},
     "4:memory:/not/seen/here", 35),
    ({}, "0::/", math.inf),
])  # fmt: skip
def test_the_limit_of_a_container_counts(groups: dict[str, Any], line: str, left: float, tmp_path: Path) -> None:
    for group, (limit, bound, use, used, stat) in groups.items():
        for name, text in {limit: bound, use: used, "memory.stat": stat}.items():
            (tmp_path / group).mkdir(parents=True, exist_ok=True)
            (tmp_path / group / name).write_text(f"{text}\n")
    own = tmp_path / "cgroup"
    own.write_text(f"9:name=systemd:/\n{line}\n")
    assert group_memory(tmp_path, own) == left


def test_a_gpu_without_bfloat16_names_the_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    with pytest.raises(StageError, match=r"params.yaml: compute.precision: 'bfloat16': this GPU has none; set float32"):
        start(HALF.model_copy(update={"device": "cuda"}))


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_names_the_parameter(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(StageError, match=rf"params.yaml: compute.device: '{device}': this machine has none; set auto"):
        start(COMPUTE.model_copy(update={"device": device}))
