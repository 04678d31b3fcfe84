"""SIGKILL in the middle of training costs the time since the last checkpoint, and changes no byte."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from interruption import alive, partials, wait_until
from test_compilation import with_compiler
from toy_pipeline import dvc, environment
from toy_records import telling_records
from toy_sources import write_ontology

from stages.lib.records import write_records

pytestmark = pytest.mark.full

REPRO = ["repro", "--single-item", "--no-run-cache", "train"]
LONG = {"epochs": 30, "patience": 30, "batch_size": 4, "accumulation": 2, "balanced": True}


@pytest.fixture(params=[False, pytest.param(True, marks=with_compiler)], ids=["plain", "compiled"])
def trainable(workspace: Path, tiny_model: Path, request: pytest.FixtureRequest) -> Path:
    """Return a workspace that holds all that `train` reads, and parameters under which it takes seconds."""
    path = workspace / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["train"] |= LONG | {"compile": request.param}
    params["train"]["lora"]["dropout"] = 0.1
    path.write_text(yaml.safe_dump(params))
    for split in ("augmented", "validation"):
        write_records(telling_records(split, 10), workspace / f"data/{split}.parquet")
    shutil.copytree(tiny_model, workspace / "models/base")
    write_ontology(workspace / "data/ontology")
    return workspace


def kill(workspace: Path, cache: Path, *, renewals: int) -> None:
    """Run `train`, and SIGKILL `dvc` once a checkpoint has been seen to be renewed `renewals` times."""
    changes = {"XDG_CACHE_HOME": str(cache), "DIFFERENTIAL_CHECKPOINT_SECONDS": "0"}
    seen: set[int] = set()

    def renewed() -> bool:
        seen.update(path.stat().st_mtime_ns for path in cache.rglob("training.safetensors"))
        return len(seen) > renewals or process.poll() is not None

    command = [sys.executable, "-m", "dvc", *REPRO]
    with (workspace.parent / "killed.log").open("w") as log:
        process = subprocess.Popen(command, cwd=workspace, env=environment(**changes), stdout=log, stderr=log)
    wait_until(renewed, seconds=240)
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    assert children, (workspace.parent / "killed.log").read_text()
    process.kill()
    process.wait(timeout=60)
    assert wait_until(lambda: not alive(workspace), seconds=2), alive(workspace)
    assert list(cache.rglob("training.safetensors"))


def test_training_that_was_killed_resumes_and_ends_in_the_same_bytes(trainable: Path, tmp_path: Path) -> None:
    disturbed = shutil.copytree(trainable, tmp_path / "disturbed", symlinks=True)
    cache = tmp_path / "cache"
    studio = {"DVC_STUDIO_TOKEN": "token", "DVC_STUDIO_URL": "https://studio.example.org"}  # no reason to post anything
    dvc(trainable, *REPRO, XDG_CACHE_HOME=str(tmp_path / "other"), **studio)
    assert json.loads((trainable / "metrics/training.json").read_text())["findings"] == 3
    kill(disturbed, cache, renewals=12)
    said = dvc(disturbed, *REPRO, XDG_CACHE_HOME=str(cache)).stderr
    assert 0 < int(re.findall(r"resuming at step (\d+) of 150 ", said)[0]) < 150, said
    assert (disturbed / "dvc.lock").read_text() == (trainable / "dvc.lock").read_text()
    assert not list(cache.rglob("checkpoints/*"))
    assert partials(disturbed) == []
    curve = (disturbed / "dvclive/plots/metrics/train/loss.tsv").read_text()
    assert [int(row.split("\t")[0]) for row in curve.splitlines()[1:]] == list(range(1, 151))
