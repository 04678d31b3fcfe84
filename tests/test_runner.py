"""The runner binds a stage to dvc.yaml, publishes its outputs whole, and says every expected failure in one line."""

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
from toy_pipeline import dvc, environment, errors, initialise, make_toy, replace, run_stage

from stages.lib.stage import cache_folder, progress

FIRST, DVC, PARAMS = "stages/first.py", "dvc.yaml", "params.yaml"


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path / "toy")


def preflight(workspace: Path) -> subprocess.CompletedProcess[str]:
    return run_stage(workspace, "lib.stage")


def body(workspace: Path, code: str) -> None:
    """Have `first` do something else: its outputs are `doubled` and `counts`."""
    path = workspace / FIRST
    head, _, rest = path.read_text().partition("    header, *rows")
    lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
    path.write_text(f"{head}{lines}\n\nif __name__{rest.partition('if __name__')[2]}")


def test_a_stage_runs_by_hand_and_logs_its_inputs_and_outputs(toy: Path) -> None:
    done = run_stage(toy)
    first, middle, last = done.stderr.splitlines()
    assert done.returncode == 0
    assert first == "[first] in: data/cases.csv (21 bytes)"
    assert middle == "[first] read 3 rows"
    assert last.startswith("[first] out: data/doubled.csv (27 bytes), metrics/counts.json (22 bytes) in 0.")
    assert last.endswith(" s")
    assert (toy / "data/doubled.csv").read_text() == "id,count\na,2.0\nb,4.0\nc,6.0\n"


def test_rows_of_a_table_are_logged(toy: Path) -> None:
    replace(toy / DVC, "data/doubled.csv\n    metrics", "data/doubled.parquet\n    metrics")
    body(
        toy,
        "import pandas as pd\npd.DataFrame({'a': range(1234)}).to_parquet(doubled)\ncounts.write_text('{}')",
    )
    assert "out: data/doubled.parquet (1,234 rows), metrics/counts.json (2 bytes)" in run_stage(toy).stderr


def test_dvc_runs_the_pipeline_and_then_has_nothing_to_do(toy: Path) -> None:
    initialise(toy)
    dvc(toy, "repro")
    assert sorted(path.name for path in (toy / "models/summary").iterdir()) == ["head.txt", "size.txt"]
    lock = (toy / "dvc.lock").read_text()
    assert "up to date" in dvc(toy, "repro").stdout
    dvc(toy, "repro", "--force")
    assert (toy / "dvc.lock").read_text() == lock


BINDINGS = [
    # (file, old, new, what the error says of the stage)
    (
        FIRST,
        "cases: In,",
        "case: In,",
        ["'case' is missing there and an input (In) in", "'cases' is an input (In) there"],
    ),
    (FIRST, "cases: In, ", "", ["'cases' is an input (In) there and missing in the signature of stages/first.py"]),
    (FIRST, "cases: In,", "cases: Out,", ["'cases' is an input (In) there and an output (Out) in"]),
    (FIRST, "counts: Out", "counts: In", ["'counts' is an output (Out) there and an input (In) in"]),
    (FIRST, "counts: Out", "counts: str", ["'counts' is an output (Out) there and <class 'str'> in"]),
    (FIRST, "counts: Out", "counts", ["'counts' is an output (Out) there and without a type in"]),
    (FIRST, "params: Params, ", "", ["`params` must be in both dvc.yaml and the signature, or neither"]),
    (DVC, "  first:\n", "  frist:\n", ["no stage 'first'; it has frist, second"]),
    (DVC, "      - data/cases.csv\n", "", ["'cases' is missing there and an input (In) in"]),
    (DVC, "data/cases.csv", "data/doubled.tsv", ["data/doubled.tsv and data/doubled.csv share a stem; rename one"]),
    (DVC, "metrics/counts.json", "metrics/doubled.json", ["data/doubled.csv and metrics/doubled.json share a stem"]),
    (DVC, "stages:", "steps:", ["dvc.yaml: has no `stages:`"]),
    (DVC, "    cmd: python -m stages.first", "  cmd: [", ["dvc.yaml: is not valid YAML"]),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), BINDINGS)
def test_a_signature_that_differs_from_dvc_yaml_is_refused(
    toy: Path, file: str, old: str, new: str, expected: list[str]
) -> None:
    replace(toy / file, old, new)
    found = errors(run_stage(toy))
    assert len(found) == len(expected)
    for line, part in zip(found, expected, strict=True):
        assert line.startswith("dvc.yaml: ")
        assert part in line
    assert not (toy / "data/doubled.csv").exists()


def test_an_output_may_be_a_plot_and_carry_options(toy: Path) -> None:
    replace(toy / DVC, "    metrics:\n      - metrics/counts", "    plots:\n      - metrics/counts")
    assert run_stage(toy).returncode == 0


def test_a_missing_input_names_the_command_that_makes_it(toy: Path) -> None:
    assert errors(run_stage(toy, "second")) == ["second: missing input data/doubled.csv; run `dvc repro second`"]


def test_a_stage_outside_the_root_says_so(toy: Path) -> None:
    path = environment() | {"PYTHONPATH": str(toy)}
    command = [sys.executable, "-m", "stages.first"]
    done = subprocess.run(command, cwd=toy / "data", env=path, capture_output=True, text=True, check=False)
    assert errors(done) == [f"dvc.yaml: not found in {toy / 'data'}; run from the root of the repository"]


def test_preflight_is_silent_when_all_is_well(toy: Path) -> None:
    done = preflight(toy)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_preflight_lists_what_is_wrong_in_every_stage_at_once(toy: Path) -> None:
    replace(toy / PARAMS, "factor: 2.0", "factr: 99\n  rate: 1")
    replace(toy / PARAMS, "second: {pause: 0.0}", "second: {pause: -1, speed: 3}\nthird: 1")
    replace(toy / "stages/second.py", "summary: Out", "table: Out")
    assert errors(preflight(toy)) == [
        "params.yaml: first.factor: missing",
        "dvc.yaml: stage 'second': 'summary' is an output (Out) there and missing in the signature of stages/second.py",
        "dvc.yaml: stage 'second': 'table' is missing there and an output (Out) in the signature of stages/second.py",
        "params.yaml: first.factr: no stage declares it; choose from first.factor, first.pause, second, seed",
        "params.yaml: first.rate: no stage declares it; choose from first.factor, first.pause, second, seed",
        "params.yaml: third: no stage declares it; choose from first.factor, first.pause, second, seed",
    ]


def test_preflight_names_a_stage_without_a_file_or_function(toy: Path) -> None:
    (toy / "stages/second.py").unlink()
    replace(toy / FIRST, "def first", "def fist")
    assert errors(preflight(toy)) == [
        "dvc.yaml: stage 'first': stages/first.py has no function 'first'",
        "dvc.yaml: stage 'second': stages/second.py does not exist",
    ]


def test_an_expected_failure_is_one_line_and_leaves_nothing(toy: Path) -> None:
    body(toy, "from stages.lib.stage import StageError\ndoubled.write_text('half')\nraise StageError('cases: too few')")
    done = run_stage(toy)
    assert errors(done) == ["cases: too few"]
    assert sorted(path.name for path in (toy / "data").iterdir()) == ["cases.csv"]


def test_an_unexpected_failure_shows_its_traceback_and_leaves_nothing(toy: Path) -> None:
    body(toy, "doubled.mkdir()\n(doubled / 'a').write_text('half')\nraise ValueError('odd')")
    done = run_stage(toy)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ValueError: odd" in done.stderr
    assert sorted(path.name for path in (toy / "data").iterdir()) == ["cases.csv"]


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
