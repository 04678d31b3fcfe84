"""A pipeline of quick stages that a sweep can run: `split`, which points share, and `train`, which fails on demand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from toy_pipeline import ROOT, RUNNER, environment, initialise

DVC_YAML = """
stages:
  split:
    cmd: python -m stages.split
    deps: [data/incoming, stages/split.py]
    params: [split]
    outs: [data/train.csv]
    metrics: [{metrics/splits.json: {cache: false}}]
  train:
    cmd: python -m stages.train
    deps: [data/train.csv, stages/train.py]
    params: [train]
    outs: [models/adapter.txt]
    metrics: [{metrics/training.json: {cache: false}}]
  evaluate:
    cmd: python -m stages.evaluate
    deps: [models/adapter.txt, stages/evaluate.py]
    params: [evaluate]
    outs: [data/evaluated.txt]
"""
PARAMS = """
split: {fold: null}
train: {rate: 0.1, rank: 2, pause: 0.0, wrong: false}
evaluate: {bootstrap: 1}
"""
HEAD = '''"""A stage of a sweep's toy."""

import json
import os
import time
from pathlib import Path

from pydantic import Field

from stages.lib.stage import In, Out, StageError, Strict, run


def note(line: str) -> None:
    """Count this run where all workspaces see it."""
    with Path(os.environ["TOY_RUNS"]).open("a") as file:
        file.write(line + "\\n")

'''
STAGES = {
    "split": '''
class SplitParams(Strict):
    """How to split."""

    fold: int | None = Field(ge=1, le=5)
    """The fold."""


class Params(Strict):
    """Parameters."""

    split: SplitParams
    """See there."""


def split(params: Params, incoming: In, train: Out, splits: Out) -> None:
    """Write which fold is tested and what the user brought."""
    note("split")
    train.write_text(f"{params.split.fold} {sorted(path.name for path in incoming.iterdir())}")
    splits.write_text(json.dumps({"records": {"validation": 100}, "independent_groups": {"validation": 50}}))
''',
    "train": '''
class TrainParams(Strict):
    """How to train."""

    rate: float = Field(gt=0, le=1)
    """Per step."""
    rank: int = Field(ge=1, le=64)
    """Of the adapter."""
    pause: float = Field(ge=0)
    """Seconds."""
    wrong: bool
    """Fail."""


class Params(Strict):
    """Parameters."""

    train: TrainParams
    """See there."""


def train(params: Params, train: In, adapter: Out, training: Out) -> None:
    """Rank by the parameters."""
    note(f"train {params.train.rank}")
    time.sleep(params.train.pause)
    if params.train.wrong:
        raise StageError("train: the loss is not finite")
    adapter.write_text(train.read_text())
    loss = params.train.rate * params.train.rank + int(train.read_text()[0] if train.read_text()[0].isdigit() else 0)
    found = {"validation_log_loss": loss, "validation_log_loss_error": 0.1}
    training.write_text(json.dumps(found | {"validation_accuracy": 0.5 + params.train.rank / 100}))
''',
    "evaluate": '''
class EvaluateParams(Strict):
    """How to measure."""

    bootstrap: int = Field(ge=1)
    """Draws."""


class Params(Strict):
    """Parameters."""

    evaluate: EvaluateParams
    """See there."""


def evaluate(params: Params, adapter: In, evaluated: Out) -> None:
    """Look at the test split, which no sweep may do."""
    note("evaluate")
    evaluated.write_text(str(params.evaluate.bootstrap))
''',
}


def lay_out(workspace: Path) -> Path:
    """Write the files of the toy and return their folder."""
    for folder in ("stages", "data/incoming", "metrics"):
        (workspace / folder).mkdir(parents=True)
    (workspace / "dvc.yaml").write_text(DVC_YAML)
    (workspace / "params.yaml").write_text(PARAMS)
    (workspace / "data/incoming/README.md").write_text("The door.\n")
    for name, text in STAGES.items():
        (workspace / f"stages/{name}.py").write_text(f'{HEAD}{text}\n\nif __name__ == "__main__":\n    run({name})\n')
    (workspace / "stages/lib").mkdir()
    for name in [*RUNNER, "tree.py"]:
        shutil.copy(ROOT / "stages/lib" / name, workspace / "stages/lib")
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, workspace)
    return workspace


def make_toy_sweep(workspace: Path) -> Path:
    """Lay the toy out as a repository of git and DVC with one commit, and return it."""
    return commit(initialise(lay_out(workspace)))


def commit(workspace: Path) -> Path:
    """Commit all that git does not ignore, and return the workspace."""
    subprocess.run(["git", "add", "-A"], cwd=workspace, check=True)
    author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *author, "commit", "-qm", "toy"], cwd=workspace, check=True)
    return workspace


def toy_environment(workspace: Path) -> dict[str, str]:
    """Return the environment of a sweep of the toy: the tool is imported from the repository, stages from the toy."""
    return environment(TOY_RUNS=str(workspace.parent / "runs.txt"), PYTHONPATH=str(ROOT), PYTHONSAFEPATH="")


def runs(workspace: Path) -> list[str]:
    """Return the stages that ran, by line, in any workspace."""
    path = workspace.parent / "runs.txt"
    return path.read_text().splitlines() if path.exists() else []
