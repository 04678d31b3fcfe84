"""Live curves show a run and go on after a resume; where they cannot be drawn, training does not notice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from toy_pipeline import initialise

from stages.lib.curves import FOLDER, shown


def run(first: int, last: int) -> None:
    """Show some steps, three an epoch."""
    with shown() as curves:
        for number in range(first, last + 1):
            curves.step(number, 9, loss=1 / number, tokens=100)
            if number % 3 == 0:
                names = ("train", "validation", "validation_accuracy", "validation_macro_f1")
                curves.epoch({"epoch": number // 3, "steps": number} | dict.fromkeys(names, 0.5))


def steps(name: str) -> list[int]:
    """Return the steps of a curve."""
    _, *rows = (FOLDER / f"plots/metrics/{name}.tsv").read_text().splitlines()
    return [int(row.split("\t")[0]) for row in rows]


def commit(workspace: Path) -> None:
    said = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *said, "commit", "-qm", "first", "--allow-empty"], cwd=workspace, check=True)


def test_curves_go_on_where_a_resumed_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(initialise(tmp_path))
    commit(tmp_path)
    run(1, 5)
    run(4, 9)  # from the checkpoint of step 3
    assert steps("train/loss") == list(range(1, 10))
    assert steps("validation/macro_f1") == [3, 6, 9]
    run(1, 2)  # another run
    assert steps("train/loss") == [1, 2]
    assert not (FOLDER / "dvc.yaml").exists()


def test_training_goes_on_in_a_repository_without_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(initialise(tmp_path))
    run(1, 3)
    assert "no live curves: DVCLive cannot start" in caplog.text
    assert not FOLDER.exists()


def test_no_repository_is_made_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    run(1, 3)
    assert [path.name for path in tmp_path.iterdir()] == [".git"]
