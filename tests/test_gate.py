"""Changes are held to the change plan, and every decision stands in a log that only grows."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_revisions import DIAGNOSES, PARAMS, commit, git, predictions, repository, write

from stages.lib.stage import StageError
from tools import gate
from tools.review import change
from tools.review.log import LOG
from tools.review.plan import PLAN, ChangePlan, parse_plan

ROOT = Path(__file__).parent.parent
RULES: dict[str, Any] = {
    "parameters": {"train.learning_rate": {"low": 1e-4, "high": 1e-2}, "train.lora.rank": {"choices": [8, 16]}},
    "data": {"labels": "fixed", "max_label_drift": 0.01, "min_test_cases": 310, "max_test_rows_changed": 0.1},
    "margins": {
        "accuracy": 0.03,
        "macro_f1": 0.03,
        "log_loss": 0.1,
        "expected_calibration_error": 0.1,
        "worst_group_accuracy": 0.05,
        "leak": 0.001,
    },
    "overrides": {"who": ["quality manager"], "reason_words": 3},
}
GOOD, POOR = predictions(accuracy=0.8, seed=1), predictions(accuracy=0.6, seed=2)
REASON = "the rarer diagnoses matter more"
OVERRIDE = ("main", "--override", "quality manager", "--reason", REASON)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository whose main holds a good run and a plan, with a branch checked out; the current folder."""
    folder = repository(tmp_path / "project")
    git(folder, "config", "user.name", "Toy")
    write(folder, GOOD)
    (folder / PLAN).write_text(yaml.safe_dump(RULES))
    commit(folder, "feat: a run and a plan")
    git(folder, "switch", "--quiet", "--create", "change")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(change, "RESAMPLES", 300)  # for speed; what is judged here lies far from any bound
    return folder


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs the gate and returns its exit code and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["gate", *arguments])
        code = gate.main()
        return code, capsys.readouterr().out

    return run


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(LOG).read_text().splitlines()]


def violated(printed: str) -> list[str]:
    return re.findall(r"^VIOLATED (\S+):", printed, re.MULTILINE)


def better() -> Any:
    """Return predictions that answer ten more cases rightly than GOOD."""
    table = GOOD.copy()
    wrong = table.index[table["gold"] != table["tuned"]][:10]
    table.loc[wrong, "tuned"] = table.loc[wrong, "gold"]
    return table


def test_a_change_within_the_plan_is_accepted_and_recorded(project: Path, judge: Any) -> None:
    write(project, better(), params=PARAMS | {"train": PARAMS["train"] | {"learning_rate": 0.005}})  # type: ignore[operator]
    code, printed = judge("main")
    assert (code, violated(printed)) == (0, [])
    assert "parameters.train.learning_rate: 0.001 → 0.005; the plan allows 0.0001 to 0.01" in printed
    (entry,) = entries()
    assert (entry["decision"], entry["who"], entry["head"]["committed"]) == ("accepted", "Toy", False)
    assert entry["base"] == git(project, "rev-parse", "main").strip()
    assert entry["figures"]["accuracy"][0] == 0.025
    assert judge("main")[0] == 0
    assert len(entries()) == 1, "the same decision is not recorded twice"


def test_a_regression_is_refused_and_recorded(project: Path, judge: Any) -> None:
    write(project, POOR)
    code, printed = judge("main")
    assert code == 1
    assert {"margins.accuracy", "margins.macro_f1", "margins.log_loss"} <= set(violated(printed))
    assert entries()[0]["decision"] == "refused"


def test_an_interval_beyond_the_margin_is_refused_though_the_point_is_not(project: Path, judge: Any) -> None:
    write(project, predictions(accuracy=0.8, seed=3))
    _, printed = judge("main")
    assert "margins.accuracy" in violated(printed)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"learning_rate": 0.5}, "parameters.train.learning_rate"),
        ({"learning_rate": True}, "parameters.train.learning_rate"),
        ({"epochs": 6}, "parameters.train.epochs"),
        ({"lora": {"rank": 12}}, "parameters.train.lora.rank"),
        ({"lora": {"rank": 16, "bias": 1}}, "parameters.train.lora.bias"),
        ({"lora": {}}, "parameters.train.lora.rank"),
    ],
)
def test_a_parameter_outside_the_plan_is_refused(project: Path, judge: Any, changed: Any, rule: str) -> None:
    write(project, GOOD, params=PARAMS | {"train": PARAMS["train"] | changed})  # type: ignore[operator]
    code, printed = judge("main")
    assert code == 1
    assert rule in violated(printed)
    assert not [name for name in violated(printed) if not name.startswith("parameters.")]


def test_a_number_in_quotes_is_a_number(project: Path, judge: Any) -> None:
    write(project, GOOD, params=PARAMS | {"train": PARAMS["train"] | {"learning_rate": "2e-3"}})  # type: ignore[operator]
    assert judge("main")[0] == 0


def test_other_test_data_are_refused(project: Path, judge: Any) -> None:
    write(project, GOOD[GOOD["gold"] != DIAGNOSES[0]])
    _, printed = judge("main")
    wanted = {"data.labels", "data.max_label_drift", "data.min_test_cases", "data.max_test_rows_changed"}
    assert wanted <= set(violated(printed))
    assert f"1 gone: {DIAGNOSES[0]}" in printed


def test_more_phi_left_is_refused(project: Path, judge: Any) -> None:
    write(project, GOOD, leak=0.002)
    assert violated(judge("main")[1]) == ["margins.leak"]


def test_what_cannot_be_measured_is_not_taken_as_kept(project: Path, judge: Any) -> None:
    write(project, better().drop(columns=["tuned_confidence"]))
    assert violated(judge("main")[1]) == ["margins.expected_calibration_error"]


def test_the_plan_is_the_one_from_before_the_change(project: Path, judge: Any) -> None:
    write(project, POOR)
    lenient = RULES | {"margins": dict.fromkeys(RULES["margins"], 1.0)}
    Path(PLAN).write_text(yaml.safe_dump(lenient))
    _, printed = judge("main")
    assert {"plan", "margins.accuracy"} <= set(violated(printed))


def test_a_first_plan_judges_the_change_that_brings_it(project: Path, judge: Any) -> None:
    git(project, "rm", "--quiet", PLAN)
    commit(project, "no plan yet")
    Path(PLAN).write_text(yaml.safe_dump(RULES))
    write(project, better())
    code, printed = judge("HEAD")
    assert (code, violated(printed)) == (0, [])


def test_an_override_is_recorded(project: Path, judge: Any) -> None:
    write(project, POOR)
    code, printed = judge(*OVERRIDE)
    assert code == 0
    assert violated(printed)
    (entry,) = entries()
    assert (entry["decision"], entry["who"], entry["reason"]) == ("overridden", "quality manager", REASON)


@pytest.mark.parametrize(
    "arguments",
    [
        ("main", "--override", "an intern", "--reason", REASON),
        ("main", "--override", "quality manager", "--reason", "because"),
        ("main", "--override", "quality manager"),
    ],
)
def test_an_override_needs_a_name_of_the_plan_and_a_reason(
    project: Path, judge: Any, arguments: tuple[str, ...]
) -> None:
    write(project, POOR)
    with pytest.raises(StageError, match="needs one of quality manager, and --reason of 3 words at least"):
        judge(*arguments)
    assert not Path(LOG).exists()


def test_nothing_to_override_is_an_error(project: Path, judge: Any) -> None:
    write(project, better())
    with pytest.raises(StageError, match="nothing to override"):
        judge(*OVERRIDE)


def test_a_check_wants_the_decision_in_the_log(project: Path, judge: Any) -> None:
    write(project, better())
    assert judge("main", "--check")[0] == 1
    judge("main")
    commit(project, "feat: better")
    code, printed = judge("main", "--check")
    assert (code, printed.splitlines()[-1]) == (0, "accepted, and recorded")


def test_an_override_holds_for_its_figures_alone(project: Path, judge: Any) -> None:
    write(project, POOR)
    assert judge("main", "--check")[0] == 1
    judge(*OVERRIDE)
    commit(project, "feat: worse, and why")
    code, printed = judge("main", "--check")
    assert (code, printed.splitlines()[-1]) == (0, f"overridden by quality manager: {REASON}")
    write(project, predictions(accuracy=0.5, seed=5))
    assert judge("main", "--check")[0] == 1


def test_an_override_by_one_whom_the_plan_does_not_name_counts_for_nothing(project: Path, judge: Any) -> None:
    write(project, POOR)
    judge(*OVERRIDE)
    Path(LOG).write_text(Path(LOG).read_text().replace('"quality manager"', '"an intern"'))
    assert judge("main", "--check")[0] == 1


@pytest.mark.parametrize("edit", ["change", "remove", "remove all", "cut", "garble"])
def test_the_log_cannot_be_rewritten(project: Path, judge: Any, edit: str) -> None:
    for table in (POOR, better()):
        write(project, table)
        judge("main")
    commit(project, "feat: better")
    git(project, "branch", "--force", "main")
    text = Path(LOG).read_text()
    first, second = text.splitlines(keepends=True)
    edited = {
        "change": first.replace("refused", "accepted") + second,
        "remove": second,
        "remove all": "",
        "cut": first + second.rstrip("\n"),
        "garble": first + "<<<<<<< HEAD\n" + second,
    }
    Path(LOG).write_text(edited[edit])
    with pytest.raises(StageError, match=LOG):
        judge("main", "--check")
    with pytest.raises(StageError, match=LOG):
        judge(*OVERRIDE)


def test_the_last_line_cannot_be_rewritten_once_it_is_in_the_base(project: Path, judge: Any) -> None:
    write(project, POOR)
    judge("main")
    commit(project, "feat: worse")
    git(project, "branch", "--force", "main")
    Path(LOG).write_text(Path(LOG).read_text().replace('"refused"', '"accepted"'))
    with pytest.raises(StageError, match="lines of main were changed or removed"):
        judge("main", "--check")


def test_a_change_of_nothing_needs_no_decision(project: Path, judge: Any) -> None:
    Path("README.md").write_text("words\n")
    assert judge("main", "--check") == (0, "nothing differs that the plan judges\n")
    assert not Path(LOG).exists()


def test_two_branches_that_both_decide_are_merged_by_deciding_again(project: Path, judge: Any) -> None:
    write(project, better(), params=PARAMS | {"train": PARAMS["train"] | {"learning_rate": 0.005}})  # type: ignore[operator]
    judge("main")
    commit(project, "feat: faster")
    git(project, "branch", "other", "main")
    git(project, "branch", "--force", "main", "change")
    git(project, "switch", "--quiet", "other")
    write(project, POOR)
    judge(*("other", *OVERRIDE[1:]))
    with pytest.raises(StageError, match="lines of main were changed or removed"):
        judge("main", "--check")
    git(project, "checkout", "--quiet", "main", "--", LOG)
    judge(*OVERRIDE)
    assert [entry["decision"] for entry in entries()] == ["accepted", "overridden"]
    assert judge("main", "--check")[0] == 0


def test_a_wrong_plan_is_told_all_at_once() -> None:
    wrong = RULES | {
        "parameters": {"a": {"low": 2, "high": 1}, "b": {"choices": []}, "c": {"lowest": 1}},
        "overrides": {"who": [], "reason_words": 1},
    }
    with pytest.raises(StageError) as caught:
        parse_plan(yaml.safe_dump(wrong), name="main")
    lines = str(caught.value).splitlines()
    assert len(lines) >= 5
    assert all(line.startswith("main: change_plan.yaml: ") for line in lines)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "parameters: 1"])
def test_a_broken_plan_is_an_error(text: str) -> None:
    with pytest.raises(StageError, match=r"main: change_plan\.yaml: "):
        parse_plan(text, name="main")


def plan() -> ChangePlan:
    return parse_plan((ROOT / PLAN).read_text(), name="the working tree")


def test_the_default_parameters_keep_the_committed_plan() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, bounds in plan().parameters.items():
        value = params
        for part in key.split("."):
            value = value[part]
        assert bounds.allows(value), key
