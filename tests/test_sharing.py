"""What is shared and what never is; two branches that both ran; what is missing or damaged in a remote is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from toy_pipeline import dvc, environment, errors, git, replace, run_tool

from tools.pull import shared

ROOT = Path(__file__).parent.parent
PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
BEFORE_SCRUBBING = ("fetch", "acquire")
PINNED = {"models/base", "models/ner", "data/ontology"}


def cached(*names: str) -> set[str]:
    """Return the outputs of stages that DVC keeps in its cache."""
    items = [item for name in names for item in PIPELINE["stages"][name].get("outs", [])]
    options = [item if isinstance(item, dict) else {item: {}} for item in items]
    return {path for item in options for path, chosen in item.items() if chosen.get("cache", True)}


def test_what_is_not_yet_scrubbed_is_never_pushed_and_all_else_is() -> None:
    assert set(shared(PIPELINE["stages"])) == cached(*PIPELINE["stages"]) - (cached(*BEFORE_SCRUBBING) - PINNED)


def test_a_pull_leaves_alone_what_git_has_what_is_never_pushed_and_what_has_its_own_remote() -> None:
    outputs = [
        "a",
        {"b": {"cache": False}},
        {"c": {"push": False}},
        {"d": {"remote": "restricted"}},
        {"e": {"desc": ""}},
    ]
    assert shared({"stage": {"outs": outputs, "metrics": ["f"]}}) == ["a", "e", "f"]


def test_no_output_names_a_remote_that_a_clone_may_lack() -> None:
    outputs = [item for stage in PIPELINE["stages"].values() for item in stage.get("outs", [])]
    assert [item for item in outputs if isinstance(item, dict) and "remote" in next(iter(item.values()))] == []


def test_the_registered_model_is_an_output() -> None:
    for artifact in PIPELINE["artifacts"].values():
        assert artifact["path"] in cached(*PIPELINE["stages"])


def test_dvc_takes_no_file_of_a_user_into_its_cache(repository: Path) -> None:
    (repository / "data/incoming").mkdir()
    (repository / "data/incoming/cases.csv").write_text("note\n")
    command = [sys.executable, "-m", "dvc", "add", "data/incoming/cases.csv"]
    done = subprocess.run(command, cwd=repository, env=environment(), capture_output=True, text=True, check=False)
    assert "data/incoming/cases.csv.dvc' is git-ignored" in done.stderr


def test_two_branches_that_both_ran_are_merged_by_running_once_more(repository: Path) -> None:
    for branch, name, old, new in (
        ("theirs", "params.yaml", "seed: 7", "seed: 8"),
        ("ours", "data/cases.csv", "c,3", "c,3\nd,4"),
    ):
        git(repository, "switch", "--quiet", "--create", branch, "main")
        replace(repository / name, old, new)
        dvc(repository, "repro")
        git(repository, "commit", "--quiet", "--all", "--message", branch)
    ours = {name: (repository / name).read_text() for name in ("dvc.lock", "metrics/counts.json")}
    git(repository, "merge", "theirs", code=1)
    assert git(repository, "diff", "--name-only", "--diff-filter=U").split() == list(ours)
    assert {name: (repository / name).read_text() for name in ours} == ours  # whole, of one run, without marks
    assert "seed: 8" in (repository / "params.yaml").read_text()
    assert "'second' didn't change" in dvc(repository, "repro").stdout
    git(repository, "commit", "--quiet", "--all", "--no-edit")
    assert json.loads((repository / "metrics/counts.json").read_text()) == {"rows": 4, "seed": 8}
    assert "up to date" in dvc(repository, "status").stdout


def test_a_pull_names_what_is_missing_or_damaged_in_the_remote(repository: Path, tmp_path: Path) -> None:
    replace(
        repository / "dvc.yaml",
        "      - data/doubled.csv\n    metrics",
        "      - data/doubled.csv: {push: false}\n    metrics",
    )
    assert errors(run_tool(repository, "pull")) == [
        ".dvc/config: no remote to pull from; add one: `dvc remote add -d shared URL`"
    ]
    config, bucket = repository / ".dvc/config", tmp_path / "bucket"
    config.write_text(f"[core]\n    remote = shared\n['remote \"shared\"']\n    url = {bucket}\n")
    assert "dvc remote modify shared verify true" in errors(run_tool(repository, "pull"))[0]
    config.write_text(f"{config.read_text()}    verify = true\n")
    git(repository, "commit", "--quiet", "--all", "--message", "remote")
    dvc(repository, "push")
    for name in ("whole", "damaged"):
        git(tmp_path, "clone", "--quiet", str(repository), name)
    assert run_tool(tmp_path / "whole", "pull").returncode == 0
    assert (tmp_path / "whole/models/summary/size.txt").read_text() == "27"
    assert not (tmp_path / "whole/data/doubled.csv").exists()
    (size,) = [path for path in bucket.rglob("*") if path.is_file() and path.read_text() == "27"]
    size.chmod(0o644)
    size.write_text("28")
    done = run_tool(tmp_path / "damaged", "pull")
    assert "models/summary" in done.stderr
    assert errors(done)[-1].startswith("what DVC names above is missing in the remote 'shared', or damaged there")
