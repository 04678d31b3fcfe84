"""SIGKILL of `dvc` and of the stage, in the middle of every stage, costs only that stage's time."""

from __future__ import annotations

from pathlib import Path

import pytest
from interruption import alive, assert_recovers, partials, stages
from toy_pipeline import dvc

pytestmark = pytest.mark.full


def test_the_pipeline_recovers_from_kills_in_every_stage(workspace: Path) -> None:
    for name in stages(workspace):
        assert_recovers(workspace, name)
    disturbed = (workspace / "dvc.lock").read_text()
    assert "up to date" in dvc(workspace, "repro").stdout
    dvc(workspace, "repro", "--force")
    assert (workspace / "dvc.lock").read_text() == disturbed
    assert partials(workspace) == []
    assert alive(workspace) == []
