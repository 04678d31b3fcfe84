"""Outputs appear whole or not at all; progress shows where somebody looks; a full disk is said in one line."""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from toy_pipeline import body, environment, errors, initialise, make_toy, run_stage

from stages.lib.stage import cache_folder, progress


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path / "toy")


def test_an_output_not_written_is_an_error_and_none_is_published(toy: Path) -> None:
    body(toy, "doubled.write_text('whole')")
    assert errors(run_stage(toy)) == ["the stage returned without writing metrics/counts.json"]
    assert not (toy / "data/doubled.csv").exists()


def test_a_stage_writes_to_partials_that_bear_its_pid(toy: Path) -> None:
    body(toy, "import os\ndoubled.write_text(f'{doubled} {os.getpid()}')\ncounts.write_text('{}')")
    run_stage(toy)
    partial, pid = (toy / "data/doubled.csv").read_text().split()
    assert partial == f"data/.partial-{pid}-doubled.csv"


def test_dead_partials_of_the_stage_and_no_others_are_removed_at_start(toy: Path) -> None:
    own, folder = toy / "data/.partial-12-doubled.csv", toy / "data/.partial-13-doubled.csv"
    others = [toy / "data/.partial-12-re-doubled.csv", toy / "data/.partial-12-doubled.csv2", toy / "data/doubled.csv3"]
    own.touch()
    folder.mkdir()
    (folder / "file").touch()
    for other in others:
        other.touch()
    assert run_stage(toy).returncode == 0
    assert not own.exists()
    assert not folder.exists()
    assert all(other.exists() for other in others)


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_lies_at_an_outputs_place_is_replaced(toy: Path, kind: str) -> None:
    run_stage(toy)
    summary = toy / "models/summary"
    summary.parent.mkdir()
    elsewhere = toy / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    match kind:
        case "folder":
            shutil.copytree(elsewhere, summary)
        case "file":
            summary.touch()
        case "link":
            summary.symlink_to(elsewhere)
    assert run_stage(toy, "second").returncode == 0
    assert sorted(path.name for path in summary.iterdir()) == ["head.txt", "size.txt"]
    assert (elsewhere / "kept").exists()


def test_git_and_dvc_ignore_partials(toy: Path) -> None:
    initialise(toy)
    partials = ["data/.partial-1-doubled.csv", "metrics/.partial-1-counts.json", "models/.partial-1-summary"]
    for tool in (["git", "check-ignore"], [sys.executable, "-m", "dvc", "check-ignore"]):
        done = subprocess.run(
            [*tool, *partials], cwd=toy, env=environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == partials


NO_SPACE = [
    "import errno\nraise OSError(errno.ENOSPC, 'No space left on device')",
    "import errno\nraise OSError(errno.EDQUOT, 'Disk quota exceeded')",
    "raise RuntimeError('I/O error: No space left on device (os error 28)')",
    "try:\n    raise OSError(28, 'full')\nexcept OSError as error:\n    raise RuntimeError('not written') from error",
    "doubled.symlink_to('/dev/full')\ndoubled.write_text('x' * 9999)",
    "doubled.symlink_to('/dev/full')\nimport pandas as pd\npd.DataFrame({'a': range(9)}).to_parquet(doubled)",
]


@pytest.mark.parametrize("code", NO_SPACE)
def test_a_full_disk_is_one_line_and_leaves_nothing(toy: Path, code: str) -> None:
    body(toy, code)
    assert errors(run_stage(toy)) == [f"no space left on the disk of {toy}: free some and run again"]
    assert sorted(path.name for path in (toy / "data").iterdir()) == ["cases.csv"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_quiet_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress(iter("abc"), description="cases", total=3)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("seconds", "shown"), [(1.0, False), (3.0, True)])
def test_progress_shows_on_a_terminal_after_five_seconds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, shown: bool
) -> None:
    clock = [0.0]
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    for _ in progress(range(3), description="cases"):
        clock[0] += seconds
    assert ("cases: " in stream.getvalue()) == shown


@pytest.mark.full
def test_progress_shows_on_a_real_terminal(toy: Path) -> None:
    body(
        toy,
        "import time\nfrom stages.lib.stage import progress\nfor _ in progress(range(7), description='cases'):\n"
        "    time.sleep(0.9)\ndoubled.touch()\ncounts.touch()",
    )
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = [sys.executable, "-m", "stages.first"]
    process = subprocess.Popen(command, cwd=toy, env=environment(), stderr=terminal)
    assert process.wait(timeout=60) == 0
    os.close(terminal)
    assert b"cases: " in os.read(controller, 9999)


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder("a", "b") == tmp_path / "cache/differential/a/b"
    assert cache_folder("a", "b").is_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home/.cache/differential"
