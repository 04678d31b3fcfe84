"""A sweep: what its specification may say, what is checked before it runs, and how its results are ranked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from psutil import Process
from scipy.stats import binomtest
from toy_pipeline import ROOT
from toy_sweep import lay_out

from stages.lib.stage import StageError
from tools.sweep import Sweep, by_queue, enqueue
from tools.sweeps import experiments
from tools.sweeps.plan import Pipeline, Run, plan, read_spec
from tools.sweeps.ranking import Result, best, ranking, ranking_over_folds, result, wilson
from tools.sweeps.spec import Spec, override, points

METRIC = "validation_log_loss"


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the toy's folder, which is entered; its stages are not run here, so that its checks are stood in for."""
    workspace = lay_out(tmp_path / "toy")
    monkeypatch.chdir(workspace)
    monkeypatch.setattr("tools.sweeps.plan.preflight", lambda path: None)
    return workspace


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def spec(**changes: Any) -> Spec:
    return Spec.model_validate({"parameters": {"train.rank": [2, 3]}, "metric": METRIC} | changes)


def lines(document: Any, folder: Path) -> list[str]:
    """Return the errors of a specification."""
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(StageError) as error:
        read_spec(path, Pipeline())
    return [line.removeprefix(f"{path}: ") for line in str(error.value).splitlines()]


def test_a_grid_holds_every_combination_once() -> None:
    found = points(spec(parameters={"a": [1, 2], "b": ["x", None]}))
    assert found == [{"a": 1, "b": "x"}, {"a": 1, "b": None}, {"a": 2, "b": "x"}, {"a": 2, "b": None}]


def test_random_points_are_a_function_of_the_seed_and_lie_within_their_ranges() -> None:
    ranges = {"rate": {"log_uniform": [1e-5, 1e-3]}, "dropout": {"uniform": [0, 0.5]}, "rank": [4, 8]}
    found = points(spec(parameters=ranges, runs=50, seed=1))
    assert found == points(spec(parameters=ranges, runs=50, seed=1))
    assert found != points(spec(parameters=ranges, runs=50, seed=2))
    assert all(1e-5 <= point["rate"] <= 1e-3 and 0 <= point["dropout"] <= 0.5 for point in found)
    assert 15 < sum(point["rate"] < 1e-4 for point in found) < 35


def test_random_points_of_lists_are_never_the_same_twice() -> None:
    found = points(spec(parameters={"a": [1, 2, 3], "b": [1, 2]}, runs=10, seed=1))
    assert len({json.dumps(point) for point in found}) == len(found) == 6


def test_every_random_point_is_run_for_every_fold() -> None:
    found = points(spec(parameters={"split.fold": [1, 2, 3], "a": {"uniform": [0, 1]}}, runs=2, seed=1))
    assert [point["split.fold"] for point in found] == [1, 2, 3] * 2
    assert len({point["a"] for point in found}) == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"metric": "accuracy"}, "metric: 'accuracy': should be 'validation_log_loss'"),
        ({"runz": 3}, "runz: unknown parameter; choose from parameters, runs, seed, metric"),
        ({"runs": 3}, "runs and seed go together"),
        ({"seed": 3}, "runs and seed go together"),
        ({"parameters": {"train.rate": {"uniform": [0.1, 0.2]}}}, "runs is missing: train.rate cannot be run in every"),
        ({"parameters": {"train.rate": {"uniform": [0.2, 0.1]}}}, "the first number must be the smaller one"),
        ({"parameters": {"train.rate": {"log_uniform": [0, 1]}}}, "should be greater than 0"),
        ({"parameters": {"train.rate": {"normal": [0, 1]}}}, "should be a list of values, {uniform: [low, high]} or"),
        ({"parameters": {"train.rank": 4}}, "should be a list of values, {uniform: [low, high]} or"),
        ({"parameters": {"train.rank": []}}, "train.rank must have values, each of them once"),
        ({"parameters": {"train.rank": [2, 2]}}, "train.rank must have values, each of them once"),
        ({"parameters": {"split.fold": {"uniform": [1, 2]}}}, "split.fold must be a list of folds"),
        ({"parameters": {"train.ranc": [2]}}, "parameters: train.ranc: params.yaml has no such parameter"),
        ({"parameters": {"evaluate.bootstrap": [2]}}, "parameters: evaluate.bootstrap: nothing up to 'train' depends"),
    ],
)
def test_an_error_of_the_specification_is_said_in_one_line(changes: dict[str, Any], error: str, toy: Path) -> None:
    found = lines({"parameters": {"train.rank": [2, 3]}, "metric": METRIC} | changes, toy)
    assert [error in line for line in found] == [True], found


def test_all_errors_of_a_specification_are_said_at_once(toy: Path) -> None:
    keys = {"train.ranc": [1], "evaluate.bootstrap": [1]}
    assert len(lines({"parameters": keys, "metric": "accuracy", "runz": 3}, toy)) == 4


@pytest.mark.usefixtures("at_root")
def test_every_point_is_checked_before_anything_runs() -> None:
    asked = spec(parameters={"train.lora.rank": [0, 4], "train.learning_rate": [1e-4, 2], "split.fold": [1, 9]})
    with pytest.raises(StageError) as error:
        plan(points(asked), Pipeline(), prefix="sweep")
    found = str(error.value).splitlines()
    assert len(found) == 3
    for said in ("train.lora.rank: 0: should be greater", "train.learning_rate: 2: should be", "fold must be at most"):
        (line,) = [line for line in found if said in line]
        assert "(at train.lora.rank=" in line
        assert line.endswith("and 3 more points)")


@pytest.mark.usefixtures("at_root")
def test_what_points_share_ends_before_what_they_change() -> None:
    pipeline = Pipeline()
    assert "evaluate" not in pipeline.stages
    assert pipeline.shared(["train.lora.rank"]) == ["augment"]
    assert pipeline.shared(["augment.copies"]) == ["split"]
    assert pipeline.shared(["split.fold"]) == ["validate"]
    assert pipeline.shared(["seed"]) == ["fetch"]


def test_a_run_is_named_by_all_that_its_result_depends_on(toy: Path) -> None:
    def names() -> list[str]:
        return [run.name for run in plan(points(spec()), Pipeline(), prefix="My Sweep.1")]

    before = names()
    assert all(name.startswith("my-sweep-1-") for name in before)
    assert len(set(before)) == 2
    for name, changes in {"params.yaml": True, "stages/train.py": True, "stages/evaluate.py": False}.items():
        path = toy / name
        path.write_text(path.read_text().replace("pause: 0.0", "pause: 1.0") + "\n# new\n")
        assert (names() != before) == changes, name
        before = names()
    (toy / "params.yaml").write_text((toy / "params.yaml").read_text().replace("bootstrap: 1", "bootstrap: 2"))
    assert names() == before
    (toy / "data/incoming/cases.csv").write_text("a case\n")
    assert names() != before


def test_a_workspace_is_given_the_users_files_that_nothing_tracks(toy: Path) -> None:
    assert experiments.copied() == []
    for name in ("cases.csv", "big.csv.dvc", ".gitignore"):
        (toy / "data/incoming" / name).touch()
    (toy / "data/incoming/export").mkdir()
    assert experiments.copied() == ["data/incoming/cases.csv", "data/incoming/export"]


@pytest.mark.parametrize("value", [1, 0.5, 1e-7, True, None, "a", "it's", "null", "1", "a,b", [1, "x"], []])
def test_dvc_reads_a_value_as_it_was_meant(value: Any) -> None:
    from dvc.utils.hydra import to_hydra_overrides

    (read,) = to_hydra_overrides([f"key={override(value)}"])
    assert read.value() == value
    assert not read.is_sweep_override()


def test_points_that_are_done_are_those_of_this_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def git(*arguments: str) -> str:
        author = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/training.json").write_text('{"validation_accuracy": 0.5}')
    git("add", "-A")
    git("commit", "-qm", "one")
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/sweep-1", head)
    assert experiments.finished(["sweep-1", "sweep-2"]) == {"sweep-1"}
    assert experiments.read_json("sweep-1", "metrics/training.json") == {"validation_accuracy": 0.5}
    assert experiments.read_json("sweep-2", "metrics/training.json") == {}
    git("commit", "-qm", "two", "--allow-empty")
    assert experiments.finished(["sweep-1", "sweep-2"]) == set()


def results(*values: float) -> list[Result]:
    return [Result(Run(f"run-{at}", {"rank": at}), value, None, None) for at, value in enumerate(values)]


def test_points_are_ranked_from_best_to_worst() -> None:
    assert best(results(0.3, 0.2, 0.4), METRIC).run.name == "run-1"
    assert best(results(0.3, 0.2, 0.4), "validation_accuracy").run.name == "run-2"
    rows = ranking(results(0.3, 0.2, 0.4), METRIC).splitlines()
    assert rows[0] == "| rank | experiment | rank | validation_log_loss | 95 % interval |"
    assert [row.split(" | ")[1] for row in rows[2:]] == ["run-1", "run-0", "run-2"]


def test_folds_are_told_by_mean_and_spread_and_a_point_without_all_of_them_comes_last() -> None:
    values = {(2, 1): 1.0, (2, 2): 3.0, (4, 1): 1.5, (4, 2): 1.5, (8, 1): 0.1}
    found = [
        Result(Run(f"{rank}-{fold}", {"rank": rank, "split.fold": fold}), value, None, None)
        for (rank, fold), value in values.items()
    ]
    assert ranking_over_folds(found, METRIC).splitlines()[2:] == [
        "| 1 | 4 | 2 | 1.5000 | 0.0000 | 1.5000 to 1.5000 |",
        "| 2 | 2 | 2 | 2.0000 | 1.4142 | 1.0000 to 3.0000 |",
        "|  | 8 | 1 | 0.1000 |  | 0.1000 to 0.1000 |",
    ]


def test_an_interval_counts_independent_groups() -> None:
    def read(name: str, path: str) -> dict[str, Any]:
        if path == "metrics/splits.json":
            return {"records": {"validation": 400}, "independent_groups": {"validation": 100}}
        return {METRIC: 1.0, f"{METRIC}_error": 0.1, "validation_accuracy": 0.8, "validation_macro_f1": 0.7}

    run = Run("one", {})
    accuracy, loss, f1 = (
        result(run, metric, read) for metric in ("validation_accuracy", METRIC, "validation_macro_f1")
    )
    assert (accuracy.low, accuracy.high) == wilson(0.8, 100)
    assert (loss.low, loss.high) == pytest.approx((1 - 0.392, 1 + 0.392), abs=1e-3)
    assert (f1.low, f1.high) == (None, None)


@given(st.integers(1, 500), st.data())
def test_the_interval_of_a_share_agrees_with_scipy(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


class StillQueue(experiments.Queue):
    """A queue that takes experiments and never runs one."""

    def __init__(self) -> None:
        self.queued: dict[str, str] = {}
        self.called: list[str] = []

    def put(self, run: Run) -> None:
        self.queued[run.name] = "Queued"

    def states(self) -> dict[str, str]:
        return dict(self.queued)

    def workers(self) -> list[Process]:
        return []

    def start(self, jobs: int) -> None:
        self.called.append(f"start {jobs}")

    def stop(self, names: Iterable[str]) -> None:
        self.called.append("stop")

    def remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            self.called.append(f"remove {name}")
            del self.queued[name]


@pytest.fixture
def under_way(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """Return a sweep of two runs, none of which is done."""
    monkeypatch.setattr("tools.sweep.POLL", 0)
    monkeypatch.setattr("tools.sweep.finished", lambda names: set())
    return Sweep(spec(), [Run("run-1", {"rank": 1}), Run("run-2", {"rank": 2})])


def test_a_queue_that_does_not_move_is_given_up(under_way: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    queue = StillQueue()
    by_queue(under_way, queue, jobs=2, patience=0.01)
    assert queue.called[0] == "start 2"
    assert queue.called[-3:] == ["stop", "remove run-1", "remove run-2"]
    assert len(under_way.pending) == 2
    assert "going on without it" in capsys.readouterr().err


def test_what_waits_stays_queued_and_what_was_interrupted_or_has_failed_is_queued_anew(under_way: Sweep) -> None:
    queue = StillQueue()
    queue.queued = {"run-1": "Queued", "run-2": "Failed", "another": "Failed"}
    enqueue(under_way, queue)
    assert queue.called == ["remove run-2"]
    assert queue.queued == {"run-1": "Queued", "another": "Failed", "run-2": "Queued"}
    queue.queued = {"run-1": "Running"}
    enqueue(under_way, queue)
    assert queue.called == ["remove run-2", "stop"]
