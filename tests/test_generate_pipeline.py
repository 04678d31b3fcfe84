"""The stages that train, predict and compare, run with the objective generate on a few records: twice, to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY, merge
from toy_pipeline import run_stage
from toy_records import SIGNS, telling_records

from stages.lib.records import write_records

OUTPUTS = ["metrics/training.json", "metrics/losses.csv", "data/tuned_predictions.parquet",
           "data/baseline_predictions.parquet"]  # fmt: skip


def lay_out(workspace: Path, tiny_model: Path) -> None:
    for name in ("dvc.yaml", "stages"):
        (workspace / name).symlink_to(ROOT / name)
    for folder in ("data/ontology", "metrics", "models"):
        (workspace / folder).mkdir(parents=True)
    (workspace / "models/base").symlink_to(tiny_model)
    changes = {"train": {"objective": "generate"}, "baselines": {"zero_shot": {"cases": 3}}}
    params = merge(merge(yaml.safe_load((ROOT / "params.yaml").read_text()), TINY), changes)
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    for split in ("train", "augmented", "validation", "calibration", "test"):
        records = telling_records(split, 4).drop(columns="phenotypes")  # for which `baselines` would need an ontology
        write_records(records, workspace / f"data/{split}.parquet")


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> list[Path]:
    """Return two workspaces in which train, predict and baselines have run."""
    found = []
    for name in ("first", "second"):
        workspace = tmp_path_factory.mktemp(name)
        lay_out(workspace, tiny_model)
        for stage in ("train", "predict", "baselines"):
            done = run_stage(workspace, stage)
            assert done.returncode == 0, done.stderr
        found.append(workspace)
    return found


def test_every_diagnosis_has_a_probability_for_every_record(workspaces: list[Path]) -> None:
    table = pd.read_parquet(workspaces[0] / "data/tuned_predictions.parquet")
    assert len(table) == 16
    assert table[list(SIGNS)].sum(axis=1).to_numpy() == pytest.approx(1)
    assert table[list(SIGNS)].min().min() > 0


def test_the_untuned_model_predicts_a_fixed_sample_of_each_split(workspaces: list[Path]) -> None:
    table = pd.read_parquet(workspaces[0] / "data/baseline_predictions.parquet")
    drawn = table[table["model"] == "zero_shot"]
    assert drawn.groupby("split").size().to_dict() == {"calibration": 3, "test": 3}
    assert drawn[list(SIGNS)].sum(axis=1).to_numpy() == pytest.approx(1)


def test_two_runs_write_the_same_bytes(workspaces: list[Path]) -> None:
    adapter = sorted(path.name for path in (workspaces[0] / "models/adapter").iterdir())
    for name in [*OUTPUTS, *(f"models/adapter/{name}" for name in adapter)]:
        assert (workspaces[0] / name).read_bytes() == (workspaces[1] / name).read_bytes(), name


def test_the_adapter_holds_its_objective_labels_and_prompt_and_no_pickle(workspaces: list[Path]) -> None:
    folder = workspaces[0] / "models/adapter"
    held = json.loads((folder / "specification.json").read_text())
    assert (held["objective"], held["diagnoses"]) == ("generate", sorted(SIGNS))
    assert "{note}" in held["model"]["prompt"]
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".safetensors", ".md"}
