"""The runner binds a stage to dvc.yaml, publishes its outputs whole, and says every expected failure in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from toy_pipeline import body, dvc, environment, errors, initialise, make_toy, replace, run_stage

FIRST, DVC, PARAMS = "stages/first.py", "dvc.yaml", "params.yaml"
LAUNCH = str(Path(__file__).parent / "launch.py")


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path / "toy")


def preflight(workspace: Path) -> subprocess.CompletedProcess[str]:
    return run_stage(workspace, "lib.stage")


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


@pytest.fixture
def launched(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a toy whose first stage may run in several processes, and does so in two."""
    replace(toy / FIRST, "run(first)", "run(first, several=True)")
    monkeypatch.setenv("DIFFERENTIAL_LAUNCHER", f"{sys.executable} {LAUNCH} 2")
    return toy


def test_of_several_processes_only_the_first_writes_and_logs(launched: Path) -> None:
    body(
        launched,
        "import os\ndoubled.write_text(os.environ['RANK'])\ncounts.write_text('{}')\n"
        "log.info('process %s', os.environ['RANK'])\nlog.error('seen of %s', os.environ['RANK'])",
    )
    done = run_stage(launched)
    assert done.returncode == 0, done.stderr
    assert (launched / "data/doubled.csv").read_text() == "0"
    lines = sorted(done.stderr.splitlines())
    assert lines[0] == "[first] in: data/cases.csv (21 bytes)"
    assert lines[1].startswith("[first] out: data/doubled.csv (1 bytes), metrics/counts.json (2 bytes)")
    assert lines[2:] == ["[first] process 0", "[first] seen of 0", "[first] seen of 1"]
    assert [path for path in launched.rglob("*") if path.name.startswith((".partial-", "stage-first-"))] == []


def test_a_stage_runs_under_a_launcher_by_hand_as_well(launched: Path) -> None:
    command = [sys.executable, LAUNCH, "2", "-m", "stages.first"]
    done = subprocess.run(command, cwd=launched, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 3
    assert (launched / "data/doubled.csv").read_text() == "id,count\na,2.0\nb,4.0\nc,6.0\n"


@pytest.mark.parametrize("fails", ["0", "1", "01"])
def test_an_error_of_any_process_is_one_line_and_ends_all(launched: Path, fails: str) -> None:
    body(
        launched,
        "import os, time\nfrom stages.lib.stage import StageError\ncounts.write_text('half')\n"
        f"if os.environ['RANK'] in {fails!r}:\n    raise StageError('cases: too few')\ntime.sleep(60)",
    )
    done = run_stage(launched)
    assert errors(done) == ["cases: too few"]
    assert set(done.stderr.splitlines()) <= {"[first] in: data/cases.csv (21 bytes)", "error: cases: too few"}
    assert not (launched / "metrics/counts.json").exists()


def test_an_unexpected_error_of_a_process_shows_its_traceback_and_ends_all(launched: Path) -> None:
    body(launched, "import os, time\nif os.environ['RANK'] == '1':\n    raise ValueError('odd')\ntime.sleep(60)")
    done = run_stage(launched)
    assert done.returncode == 1
    assert "ValueError: odd" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: DIFFERENTIAL_LAUNCHER: ")


LAUNCHERS = [
    # (the launcher, what the error says of it)
    ("accelerat launch", "'accelerat launch': [Errno 2] No such file or directory: 'accelerat'; set it to a command"),
    ("torchrun '", '"torchrun \'": No closing quotation; set it to a command'),
    ("/", "'/': [Errno 13] Permission denied: '/'; set it to a command"),
    (f"{sys.executable} -c 'raise SystemExit(3)'", "ended with 3; see above"),
]


@pytest.mark.parametrize(("command", "expected"), LAUNCHERS)
def test_a_launcher_that_does_not_start_is_one_line(launched: Path, command: str, expected: str) -> None:
    (found,) = errors(run_stage(launched, DIFFERENTIAL_LAUNCHER=command))
    assert found.startswith("DIFFERENTIAL_LAUNCHER: ")
    assert expected in found


def test_a_wrong_parameter_is_known_before_the_launcher_starts(launched: Path) -> None:
    replace(launched / PARAMS, "factor: 2.0", "factor: 99")
    found = errors(run_stage(launched, DIFFERENTIAL_LAUNCHER="none"))
    assert found == ["params.yaml: first.factor: 99: should be less than or equal to 10"]


@pytest.mark.parametrize("changes", [{"DIFFERENTIAL_LAUNCHER": "  "}, {"DIFFERENTIAL_LAUNCHER": "", "RANK": "1"}])
def test_without_a_launcher_a_stage_runs_alone(launched: Path, changes: dict[str, str]) -> None:
    assert run_stage(launched, **changes).returncode == 0
    assert (launched / "data/doubled.csv").exists()


def test_a_stage_that_is_made_for_one_process_is_not_launched(launched: Path) -> None:
    replace(launched / FIRST, "run(first, several=True)", "run(first)")
    assert run_stage(launched, DIFFERENTIAL_LAUNCHER="none").returncode == 0
