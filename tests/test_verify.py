"""A commit that is run again is reproduced, contradicts itself, or differs, and by how much is said."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import yaml
from toy_pipeline import errors, git, replace, run_tool

from stages.lib.lineage import dvc_md5
from tools.deviations import deviation, machine, not_as_locked


def commit(repository: Path) -> str:
    """Commit all that has changed and return the commit's short name."""
    git(repository, "commit", "--quiet", "--all", "--message", "changed")
    return git(repository, "rev-parse", "HEAD")[:7]


def forge(repository: Path, rows: int) -> None:
    """Write another number of rows into the metrics, and the hash that belongs to it into dvc.lock."""
    path, metrics = repository / "dvc.lock", repository / "metrics/counts.json"
    lock, true = path.read_text(), dvc_md5(metrics)
    metrics.write_text(json.dumps({"rows": rows, "seed": 7}))
    path.write_text(lock.replace(true, dvc_md5(metrics)))


def test_a_commit_is_reproduced_from_nothing_and_nothing_here_changes(repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")
    replace(repository / "params.yaml", "seed: 7", "seed: 8")
    done = run_tool(repository, "verify")
    assert done.stdout.splitlines()[-1] == f"reproduced: 3 outputs of 2 stages are those of dvc.lock at {before[:7]}"
    assert "[second] out: " in done.stderr
    assert git(repository, "status", "--porcelain").split() == ["M", "params.yaml"]


def test_forged_metrics_are_found_with_how_far_they_are_off(repository: Path) -> None:
    honest = git(repository, "rev-parse", "HEAD").strip()
    forge(repository, rows=30)
    forged = commit(repository)
    first, head, here, *_, reason = errors(run_tool(repository, "verify", "first"))
    assert first == "first: metrics/counts.json differs: 1 of 2 values, most rows: 30 → 3 (-27)"
    assert head.startswith(f"not reproduced: 1 of 2 outputs differ from dvc.lock at {forged}")
    assert f"torch {version('torch')}" in here
    assert "another type of CPU" in reason
    done = run_tool(repository, "verify", "--rev", honest, "first")
    assert done.stdout.splitlines()[-1].startswith("reproduced: 2 outputs of 1 stages")


def test_a_commit_whose_lock_is_behind_is_refused_before_it_runs(repository: Path) -> None:
    replace(repository / "params.yaml", "seed: 7", "seed: 8")
    (repository / "metrics/counts.json").write_text('{"rows": 4}')
    name = commit(repository)
    done = run_tool(repository, "verify")
    assert errors(done) == [
        "first: metrics/counts.json is not what dvc.lock records",
        "first: params.yaml is not what dvc.lock records",
        f"{name} is not what was run; run `dvc repro` and commit",
    ]
    assert "[first]" not in done.stderr


def test_a_commit_that_git_does_not_know_is_one_error(repository: Path) -> None:
    assert errors(run_tool(repository, "verify", "--rev", "nowhere"))[0].startswith("`git rev-parse --verify nowhere")


def test_a_deviation_counts_the_values_and_shows_numbers_only() -> None:
    before, after = '{"tuned": {"accuracy": 0.5, "verdict": "a"}}', '{"tuned": {"accuracy": 0.25, "verdict": "b"}}'
    assert deviation(before, after, path="m.json") == "2 of 2 values, most tuned.accuracy: 0.5 → 0.25 (-0.25)"
    before, after = "id,gold\np1,x\np2,y\n", "id,gold\np1,x\np2,z\n"
    assert deviation(before, after, path="m.csv") == "1 of 4 values"
    before, after = "epoch,loss\n0,1.5\n1,1.25\n", "epoch,loss\n0,1.5\n1,1.5\n2,1.0\n"
    assert deviation(before, after, path="m.csv") == "3 of 6 values, most line 3, loss: 1.25 → 1.5 (+0.25)"
    assert deviation("a", "b", path="report.md") == "not a table of numbers"


def test_what_this_machine_may_have_to_do_with_it_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "requirements.lock"
    locked.write_text(
        f"# by pip-compile\n\npyyaml=={yaml.__version__}\nnumpy==0.1 ; python_version > '3'\nnot-installed==1\n"
    )
    assert list(not_as_locked(locked)) == [f"numpy {version('numpy')} instead of 0.1"]
    assert "with kernels for" in machine(locked)[0]
