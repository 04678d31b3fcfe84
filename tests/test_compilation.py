"""Compiled layers: they train what the others train, a run that goes on included, or say what is missing."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

import pytest
from test_generate_pipeline import lay_out
from test_learner import LORA, Interrupting, outcome, settings
from toy_pipeline import errors, replace, run_stage

from stages.lib.checkpoint import Checkpoint

HEADER = Path(sysconfig.get_path("include"), "Python.h")
with_compiler = pytest.mark.skipif(not (shutil.which("g++") and HEADER.exists()), reason="needs g++ and Python.h")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # put back after the test


@with_compiler
@pytest.mark.parametrize("objective", ["classify", pytest.param("generate", marks=pytest.mark.full)])
def test_compiled_layers_train_what_the_others_train(tiny_model: Path, tmp_path: Path, objective: str) -> None:
    import numpy as np

    chosen = settings(objective=objective, lora=LORA | {"dropout": 0.3}, token_dropout=0.3)
    compiled = chosen.model_copy(update={"compile": True})
    (history, plain), (rows, weights) = outcome(tiny_model, chosen), outcome(tiny_model, compiled)
    for one, other in zip(history, rows, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    for weight, other in zip(plain, weights, strict=True):
        np.testing.assert_allclose(*(np.frombuffer(given, "float32") for given in (weight, other)), atol=1e-5)
    assert list((tmp_path / "cache/differential/compiled").rglob("*.so"))
    checkpoint = Checkpoint(tmp_path / "checkpoint", 0.0)
    with pytest.raises(InterruptedError):
        outcome(tiny_model, compiled, checkpoint=checkpoint, curves=Interrupting(5))
    assert outcome(tiny_model, compiled, checkpoint=checkpoint) == (rows, weights)


def test_a_machine_without_a_compiler_is_told_so(tmp_path: Path, tiny_model: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    lay_out(workspace, tiny_model)
    replace(workspace / "params.yaml", "compile: false", "compile: true")
    done = run_stage(workspace, "train", CXX="/none/g++")
    (said,) = errors(done)
    assert said.startswith("params.yaml: train.compile: true: InvalidCxxCompiler: No working C++ compiler found"), said
    assert said.endswith("install a C++ compiler, such as g++, or set false")
