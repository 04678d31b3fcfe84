"""Workflows are safe: pinned, bounded, with the least rights, and nothing that a stranger wrote in a shell script."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

WORKFLOWS = sorted((Path(__file__).parent.parent / ".github/workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job["steps"]


def triggers(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())[True]  # `on` is a truth value in YAML 1.1
    return found


@every_workflow
def test_every_action_is_pinned_by_a_commit_and_its_version_is_told(path: Path) -> None:
    lines = re.findall(r"^ *(?:- )?uses: *(.+)$", path.read_text(), re.MULTILINE)
    assert len(lines) == sum("uses" in step for step in steps(path))
    assert [line for line in lines if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)] == []


@every_workflow
def test_a_shell_sees_what_others_wrote_only_in_its_environment(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@every_workflow
def test_rights_are_least_and_time_is_bounded(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] in ({"contents": "read"}, {})
    assert "concurrency" in document
    assert all(job["timeout-minutes"] <= 60 for job in jobs(path).values())
    assert "secrets." not in path.read_text()
    assert "pull_request_target" not in triggers(path)


@every_workflow
def test_what_may_write_runs_no_code_of_a_pull_request(path: Path) -> None:
    writing = [job for job in jobs(path).values() if "write" in job.get("permissions", {}).values()]
    assert not writing or list(triggers(path)) == ["workflow_run"]
    for job in writing:
        commands = "\n".join(step.get("run", "") for step in job["steps"])
        assert not [step for step in job["steps"] if "uses" in step]
        assert not re.search(r"\b(python|make|dvc|git|bash|sh|eval|source)\b", commands)


@every_workflow
def test_credentials_are_not_left_in_a_checkout(path: Path) -> None:
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@every_workflow
def test_every_script_parses(path: Path) -> None:
    for step in steps(path):
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


def test_the_comment_follows_the_review() -> None:
    by_name = {yaml.safe_load(path.read_text())["name"]: path for path in WORKFLOWS}
    assert triggers(by_name["Comment"])["workflow_run"]["workflows"] == ["Review"]
    assert list(triggers(by_name["Review"])) == ["pull_request"]
