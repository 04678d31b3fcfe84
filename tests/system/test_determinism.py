"""The whole pipeline, on tiny parameters, gives the same bytes however often and wherever it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toy_pipeline import dvc

pytestmark = pytest.mark.full


def test_two_clean_runs_and_a_forced_one_leave_the_same_lock(workspace: Path, tmp_path: Path) -> None:
    other = shutil.copytree(workspace, tmp_path / "elsewhere" / "other", symlinks=True)
    dvc(workspace, "repro", "--no-run-cache")
    lock = (workspace / "dvc.lock").read_text()
    assert "up to date" in dvc(workspace, "repro").stdout
    dvc(workspace, "repro", "--force")
    assert (workspace / "dvc.lock").read_text() == lock
    dvc(other, "repro", "--no-run-cache")
    assert (other / "dvc.lock").read_text() == lock


def test_what_the_environment_sets_changes_no_number(workspace: Path, tmp_path: Path) -> None:
    other = shutil.copytree(workspace, tmp_path / "elsewhere" / "other", symlinks=True)
    dvc(workspace, "repro", "--no-run-cache", PYTHONHASHSEED="1", OMP_NUM_THREADS="1", TZ="Pacific/Auckland")
    dvc(other, "repro", "--no-run-cache", PYTHONHASHSEED="2", OMP_NUM_THREADS="2", TZ="UTC", LC_ALL="C")
    assert (other / "dvc.lock").read_text() == (workspace / "dvc.lock").read_text()
