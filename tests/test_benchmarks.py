"""The benchmarks keep up with what they measure: each imports, and some run on a few records."""

from __future__ import annotations

import importlib
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT
from tiny_models import save_model
from toy_learner import DIAGNOSES, save_tuned
from toy_records import good_records
from toy_sources import write_ontology

from stages.lib.records import write_records


@pytest.fixture
def trainable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, which is entered, with what the benchmarks of training and scoring read."""
    save_model(tmp_path / "models/base", "llama", chat=True)
    (tmp_path / "data/ontology").mkdir(parents=True)
    (tmp_path / "data/ontology/phenotype.hpoa").write_text("ORPHA:324\tFabry disease\nORPHA:558\tMarfan syndrome\n")
    for split in ("train", "test"):
        write_records(good_records(30), tmp_path / f"data/{split}.parquet")
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["compute"] |= {"threads": 1, "batch_size": 4}
    params["train"] |= {"batch_size": 4}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_a_benchmark_imports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    importlib.import_module(f"benchmarks.{name}")


def test_the_benchmark_of_validate_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(ROOT)
    benchmark = importlib.import_module("benchmarks.validate")
    benchmark.write_file(tmp_path, 4000, seed=1)
    for work in benchmark.WORKS:
        seconds, processor, memory = benchmark.measured(work, tmp_path)
        assert min(seconds, processor, memory) > 0
    assert "phi_hits" in (tmp_path / "data_quality.json").read_text()


@pytest.mark.parametrize("objective", ["classify", "generate"])
@pytest.mark.usefixtures("trainable")
def test_peers_train_as_this_project_does(objective: str) -> None:
    benchmark = importlib.import_module("benchmarks.train")
    peers = [name for name in benchmark.systems(objective) if name.endswith("our batches")]
    options = Namespace(objective=objective, layers=2, precision="float32", steps=3, log=True)
    ours = benchmark.measure("Differential", options)
    assert len(ours["losses"]) == 3
    assert min(ours["tokens_per_second"], ours["flops"], ours["memory_mib"]) > 0
    for peer in peers:
        assert benchmark.measure(peer, options)["losses"] == pytest.approx(ours["losses"], abs=1e-4)


@pytest.mark.usefixtures("trainable")
def test_the_benchmark_of_scoring_finds_both_ways_alike() -> None:
    benchmark = importlib.import_module("benchmarks.score")
    (row,) = benchmark.measure([2], notes=2, repeats=1, precision="float32")
    assert row["labels"] == 2
    assert row["largest_difference"] < 1e-3


def test_the_benchmark_of_quality_compares_models_on_the_same_records(
    trainable: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = importlib.import_module("benchmarks.quality")
    write_ontology(trainable / "data/ontology")
    write_records(good_records(60), trainable / "data/scrubbed.parquet")
    (trainable / "data/accepted.json").write_text("{}")
    params = yaml.safe_load((trainable / "params.yaml").read_text())
    params["model"] |= {"layers": 2, "max_length": 64}
    params["train"] |= {"epochs": 1}
    (trainable / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setattr("sys.argv", ["quality", "--folds", "1", "2", "--steps", "5"])
    benchmark.main()
    rows = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in rows[2:]] == ["| fold 1", "| fold 2", "| all folds"]


@pytest.mark.parametrize("objective", ["classify", "generate"])
def test_the_benchmark_of_memorisation_measures_what_was_planted(
    objective: str, trainable: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = importlib.import_module("benchmarks.memorisation")
    write_ontology(trainable / "data/ontology")
    save_tuned(trainable / "models", objective)
    records = good_records(12).assign(diagnosis=DIAGNOSES * 3)
    for split in ("train", "validation", "calibration", "test"):
        named = records.assign(patient_id=split + records["patient_id"], record_id=split + records["record_id"])
        write_records(named, trainable / f"data/{split}.parquet")
    params = yaml.safe_load((trainable / "params.yaml").read_text())
    params["model"] |= {"layers": 2, "max_length": 128}
    params["train"] |= {"objective": objective}
    (trainable / "params.yaml").write_text(yaml.safe_dump(params))
    sizes = {"--canaries": 2, "--candidates": 7, "--records": 6, "--cases": 20, "--steps": 2}
    monkeypatch.setattr("sys.argv", ["memorisation", *(str(part) for pair in sizes.items() for part in pair), "--json"])
    benchmark.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["copies"] for row in found["exposure"]] == [0, 1, 4, 16]
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 3 for row in found["exposure"])
    assert len(found["membership"]) == {"classify": 1, "generate": 2}[objective]
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in found["membership"])


def test_an_attack_that_knows_the_training_cases_has_an_area_of_1_and_a_blind_one_of_a_half() -> None:
    benchmark = importlib.import_module("benchmarks.memorisation")
    member, groups = np.arange(40) < 20, np.arange(40) // 2
    assert benchmark.area(member, member.astype(float), groups, seed=1)[:3] == (1, 1, 1)
    assert benchmark.area(member, np.zeros(40), groups, seed=1)[:3] == (0.5, 0.5, 0.5)
