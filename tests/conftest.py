"""What tests share: the NER models, a tiny language model, and workspaces that hold the whole pipeline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_models import save_model

ROOT = Path(__file__).parent.parent
TINY_LAYERS = 3

# What the tiny pipeline changes in params.yaml: enough cases for every check, little to compute.
TINY = {
    "acquire": {"hpo": {"patients_per_diagnosis": 10}},
    "validate": {"min_cases_per_diagnosis": 5},
    "split": {"fractions": {"train": 0.4, "validation": 0.2, "calibration": 0.2, "test": 0.2}},
    "compute": {"precision": "float32", "threads": 1},
    "model": {"layers": 2, "max_length": 32, "prompt": "{note}?"},
    "train": {"epochs": 2, "learning_rate": 0.01, "lora": {"rank": 2}},
    "baselines": {"probe": {"layers": 1, "max_length": 32}, "zero_shot": {"cases": 20, "max_length": 32}},
    "stress": {"cases": 12},
    "explain": {"cases": 2},
    "evaluate": {"bootstrap": 100},
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a randomly initialised Llama of three narrow layers and a byte-level tokenizer."""
    return save_model(tmp_path_factory.mktemp("tiny-model"), "llama", num_hidden_layers=TINY_LAYERS)


@pytest.fixture(scope="session")
def ner_models() -> Path:
    """Return the folder of the NER models that params.yaml pins; the first call on a machine downloads them."""
    from stages.fetch import FetchParams, fetch_ner

    return fetch_ner(FetchParams.model_validate(yaml.safe_load((ROOT / "params.yaml").read_text())["fetch"]))


@pytest.fixture(scope="session")
def make_workspace(tiny_model: Path, ner_models: Path) -> Callable[[Path], Path]:
    """Return a function that lays out the repository with tiny parameters in an empty folder, git and DVC included."""
    from stages.lib.tree import tree_sha256

    def make(folder: Path) -> Path:
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
            if name not in {"dvc.lock"} and not name.startswith(("tests/", "metrics/")) and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "metrics").mkdir()
        (folder / "data/accepted.json").write_text("{}\n")  # the tiny data are not the default's
        params = merge(yaml.safe_load((ROOT / "params.yaml").read_text()), TINY)
        params["fetch"]["model"] = {"path": str(tiny_model), "sha256": tree_sha256(tiny_model), "licence": "none"}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        for command in ("git init -q", "git add -A", "git -c user.name=t -c user.email=t@example.org commit -qm tiny"):
            subprocess.run(command.split(), cwd=folder, check=True)
        return folder

    return make


@pytest.fixture
def workspace(tmp_path: Path, make_workspace: Callable[[Path], Path]) -> Path:
    """Return a fresh workspace of the tiny pipeline."""
    return make_workspace(tmp_path / "workspace")


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the leaves of `changes` in place of its own."""
    both = {key: merge(base[key], value) for key, value in changes.items() if isinstance(value, dict) and base.get(key)}
    return base | changes | both
