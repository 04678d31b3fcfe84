"""Sweeps of real experiments: by the queue and without it, killed in the middle, taken up again, shared."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from interruption import wait_until
from toy_pipeline import dvc
from toy_sweep import commit, make_toy_sweep, runs, toy_environment

pytestmark = pytest.mark.full
RANKS = [2, 3, 5]


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Path]:
    """Return a workspace of the toy; whatever runs in it in the end is killed."""
    workspace = make_toy_sweep(tmp_path / "toy")
    (workspace / "data/incoming/cases.csv").write_text("a case that nothing tracks\n")
    yield workspace
    for process in processes(workspace):
        process.kill()


def processes(workspace: Path) -> list[psutil.Process]:
    """Return what runs in the workspace, or in one of an experiment's below it, but this process."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        inside = str(process.info["cwd"] or "").startswith(str(workspace.resolve()))
        if inside and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def begin(workspace: Path, *options: str, pause: float = 0.0) -> subprocess.Popen[str]:
    """Start a sweep over RANKS."""
    ranks = f"parameters: {{train.rank: {RANKS}, train.pause: [{pause}]}}\n"
    (workspace / "ranks.yaml").write_text(f"{ranks}metric: validation_log_loss\n")
    return subprocess.Popen(
        [sys.executable, "-m", "tools.sweep", "ranks.yaml", *options],
        cwd=workspace,
        env=toy_environment(workspace),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what a sweep that succeeds has printed."""
    output, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    return output, errors


def ranked(output: str) -> list[str]:
    return [line.split(" | ")[2] for line in output.splitlines()[2:]]


def trained(workspace: Path) -> Callable[[], bool]:
    """Return a function that tells whether the second point has begun to train."""
    return lambda: sum(line.startswith("train") for line in runs(workspace)) >= 2


@pytest.mark.parametrize("options", [["-j", "2"], ["--sequential"]], ids=["queue", "sequential"])
def test_a_sweep_ranks_experiments_that_dvc_knows_and_runs_once_what_they_share(toy: Path, options: list[str]) -> None:
    dvc(toy, "repro", **toy_environment(toy))
    commit(toy)  # with dvc.lock, or `dvc exp apply` would miss what no experiment makes
    output, _ = finish(begin(toy, *options))
    assert ranked(output) == [str(rank) for rank in sorted(RANKS)]
    once = {"split": 1, "evaluate": 1} | {f"train {rank}": 1 for rank in RANKS}  # the last by `dvc repro` alone
    assert Counter(runs(toy)) == once
    name = output.splitlines()[2].split(" | ")[1]
    assert name in dvc(toy, "exp", "show", "--md").stdout
    again, errors = finish(begin(toy, *options))
    assert (again, errors) == (output, errors)
    assert Counter(runs(toy)) == once
    dvc(toy, "exp", "apply", name)
    assert (toy / "models/adapter.txt").read_text() == "None ['README.md', 'cases.csv']"
    dvc(toy, "exp", "branch", name, "best")
    subprocess.run(["git", "init", "--quiet", "--bare", "../shared.git"], cwd=toy, check=True)
    subprocess.run(["git", "remote", "add", "origin", "../shared.git"], cwd=toy, check=True)
    dvc(toy, "remote", "add", "--default", "store", str(toy.parent / "store"))
    dvc(toy, "exp", "push", "origin", name)
    assert name in dvc(toy, "exp", "list", "origin", "--all").stdout


def test_a_sweep_that_was_killed_goes_on_where_it_was(toy: Path) -> None:
    process = begin(toy, pause=4)
    assert wait_until(trained(toy), seconds=90)
    for victim in processes(toy):  # as when the machine goes down
        victim.kill()
    process.communicate()
    time.sleep(1)
    assert processes(toy) == []
    output, _ = finish(begin(toy, pause=4))
    assert ranked(output) == [str(rank) for rank in sorted(RANKS)]
    first, second, third = RANKS
    assert Counter(runs(toy)) == {"split": 1, f"train {first}": 1, f"train {second}": 2, f"train {third}": 1}


@pytest.mark.parametrize("options", [["-j", "1"], ["--sequential"]], ids=["queue", "sequential"])
def test_a_sweep_that_was_interrupted_leaves_nothing_running_and_goes_on(toy: Path, options: list[str]) -> None:
    process = begin(toy, *options, pause=4)
    assert wait_until(trained(toy), seconds=90)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert wait_until(lambda: not processes(toy), seconds=20)
    output, _ = finish(begin(toy, *options, pause=4))
    assert len(ranked(output)) == len(RANKS)
    assert Counter(runs(toy))[f"train {RANKS[0]}"] == 1


def test_a_failed_run_shows_its_log_and_is_run_again_the_next_time(toy: Path) -> None:
    (toy / "wrong.yaml").write_text("parameters: {train.wrong: [true, false]}\nmetric: validation_accuracy\n")
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "tools.sweep", "wrong.yaml"],
            cwd=toy,
            env=toy_environment(toy),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "error: train: the loss is not finite" in done.stderr
        assert "error: 1 of 2 runs failed; see above" in done.stderr
        assert len(done.stdout.splitlines()) == 3
    assert runs(toy).count("train 2") == 3
