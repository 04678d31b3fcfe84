"""`train` under accelerate, in two processes over gloo: what one process trains, written once, nothing left over."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from interruption import alive, interrupt, partials
from test_generate_pipeline import lay_out
from toy_pipeline import dvc, errors, initialise, make_toy, replace, run_stage
from toy_records import telling_records
from toy_sources import write_ontology

from stages.lib.records import write_records

pytestmark = pytest.mark.full

ACCELERATE = f"{Path(sys.executable).parent}/accelerate launch --num_processes 2 --num_machines 1"
LAUNCHERS = {"data parallel": f"{ACCELERATE} --multi_gpu", "fully sharded": f"{ACCELERATE} --use_fsdp --fsdp_version 2"}


def trainable(workspace: Path, tiny_model: Path, objective: str) -> Path:
    """Return a workspace that holds all that `train` reads, on few records with findings."""
    workspace.mkdir()
    lay_out(workspace, tiny_model)
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text())
    batches = {"batch_size": 7}  # of 16 records: the last step has 2, a worker each
    params["train"] |= {"objective": objective, "token_dropout": 0.0, **batches}
    params["compute"] |= {"device": "cpu"}
    path.write_text(yaml.safe_dump(params))
    write_ontology(workspace / "data/ontology")
    write_records(telling_records("augmented", 8), workspace / "data/augmented.parquet")
    return workspace


def outputs(workspace: Path) -> list[str]:
    return sorted(str(path.relative_to(workspace)) for name in ("data", "metrics", "models/adapter") for path in
                  (workspace / name).rglob("*"))  # fmt: skip


def adapter(workspace: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    weights = [load_file(path) for path in sorted((workspace / "models/adapter").glob("*.safetensors"))]
    return np.concatenate([value.ravel() for found in weights for _, value in sorted(found.items())])


@pytest.mark.parametrize("objective", ["classify", "generate"])
def test_two_processes_train_what_one_trains(objective: str, tmp_path: Path, tiny_model: Path) -> None:
    alone = trainable(tmp_path / "alone", tiny_model, objective)
    done = run_stage(alone, "train", XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    expected = json.loads((alone / "metrics/training.json").read_text())
    assert expected["findings"] == (2 if objective == "classify" else 0)  # of three, one is too rare
    for name, launcher in LAUNCHERS.items():
        together = trainable(tmp_path / name, tiny_model, objective)
        settings = {"DIFFERENTIAL_LAUNCHER": launcher, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        done = run_stage(together, "train", **settings)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("2 processes train together") == done.stderr.count("[train] out: ") == 1, done.stderr
        assert json.loads((together / "metrics/training.json").read_text()) == pytest.approx(expected, abs=1e-4), name
        losses = [pd.read_csv(workspace / "metrics/losses.csv") for workspace in (together, alone)]
        np.testing.assert_allclose(*losses, atol=1e-4)
        np.testing.assert_allclose(adapter(together), adapter(alone), atol=1e-3)
        assert outputs(together) == outputs(alone)
        assert not list((together / ".dvc/tmp").glob("stage-train-?"))
        assert alive(together) == []


def test_a_failure_of_all_processes_is_one_line(tmp_path: Path, tiny_model: Path) -> None:
    workspace = trainable(tmp_path / "workspace", tiny_model, "generate")
    replace(workspace / "params.yaml", "layers: 2", "layers: 99")
    done = run_stage(workspace, "train", DIFFERENTIAL_LAUNCHER=LAUNCHERS["data parallel"], XDG_CACHE_HOME=str(tmp_path))
    assert errors(done) == ["params.yaml: model.layers: 99: the base model has 3 layers"]
    assert done.stderr.splitlines()[-1].startswith("error: params.yaml")


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_accelerate_and_its_processes_die_with_dvc(shell: str, tmp_path: Path) -> None:
    toy = initialise(make_toy(tmp_path / "toy"))
    replace(toy / "stages/first.py", "run(first)", "run(first, several=True)")
    replace(toy / "params.yaml", "pause: 0.0\nsecond", "pause: 60.0\nsecond")
    settings = {"SHELL": shell, "DIFFERENTIAL_LAUNCHER": LAUNCHERS["data parallel"]}
    assert interrupt(toy, "first", "dvc", **settings)
    replace(toy / "params.yaml", "pause: 60.0\nsecond", "pause: 0.0\nsecond")
    dvc(toy, "repro", **settings)
    assert partials(toy) == []
