"""What two git revisions hold is compared honestly: paired, with intervals, and readable."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, bootstrap
from sklearn.metrics import balanced_accuracy_score, f1_score
from toy_revisions import DIAGNOSES, PARAMS, commit, git, predictions, repository, write

from stages.lib.reliability import expected_calibration_error
from stages.lib.scores import Scores
from stages.lib.stage import StageError
from tools import compare
from tools.review.cases import pair
from tools.review.change import changes, exact
from tools.review.comparison import Comparison
from tools.review.markdown import escape, page, verdict
from tools.review.revisions import open_revision

GOOD, POOR = predictions(accuracy=0.8, seed=1), predictions(accuracy=0.6, seed=2)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository whose main holds a good run; it is the current folder."""
    folder = repository(tmp_path / "project")
    write(folder, GOOD)
    commit(folder, "feat: a run")
    monkeypatch.chdir(folder)
    return folder


def against(project: Path, table: pd.DataFrame, **changed: object) -> Comparison:
    """Compare main with a run that is not committed."""
    write(project, table, **changed)  # type: ignore[arg-type]
    return compare.compare(open_revision("main"), open_revision(None))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    return compare.main()


def tables(text: str) -> list[list[str]]:
    """Return the tables of a page, each as its lines."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [lines for lines in found if lines]


def test_a_regression_is_caught(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = against(project, POOR)
    assert found.worse()[0] == "accuracy"
    assert found.better() == []
    assert found.metrics["accuracy"].high is not None
    assert found.metrics["accuracy"].high < 0
    assert run(monkeypatch, "main", "--fail-on-regression") == 1
    assert "the working tree is significantly worse than main in accuracy" in capsys.readouterr().err
    assert run(monkeypatch, "main") == 0


def test_an_improvement_is_no_regression(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, POOR)
    commit(project, "feat: worse")
    assert (
        run(monkeypatch, "HEAD", "main~1", "--fail-on-regression", "--markdown", "page.md", "--json", "all.json") == 0
    )
    assert "significantly better than" in Path("page.md").read_text().splitlines()[0]
    assert json.loads(Path("all.json").read_text())["better"][0] == "accuracy"


def test_chance_is_not_called_a_change(project: Path) -> None:
    found = against(project, predictions(accuracy=0.8, seed=3))
    assert (found.worse(), found.better()) == ([], [])
    assert verdict(found).startswith("No headline metric of the working tree differs significantly from main's")


def test_a_run_compared_with_itself_differs_in_nothing(project: Path) -> None:
    found = against(project, GOOD)
    assert verdict(found) == "the working tree answers like main: no headline metric differs."
    assert all(change.delta == 0 for change in found.metrics.values())
    assert all(change.p in (1.0, None) for change in found.metrics.values())
    assert (found.params, found.code, found.broken, found.fixed) == ({}, {}, [], [])


def test_broken_and_fixed_cases_are_named(project: Path) -> None:
    table = GOOD.copy()
    wrong, right = (GOOD.index[GOOD["gold"].eq(GOOD["tuned"]) == is_right][0] for is_right in (False, True))
    table.loc[wrong, "tuned"] = table.loc[wrong, "gold"]
    table.loc[right, "tuned"] = next(name for name in DIAGNOSES if name != table.loc[right, "gold"])
    found = against(project, table)
    assert (found.broken, found.fixed) == ([GOOD.loc[right, "record_id"]], [GOOD.loc[wrong, "record_id"]])
    assert sum(mover.broken or 0 for mover in found.diagnoses) == 1


def test_different_test_sets_are_said(project: Path) -> None:
    table = predictions(accuracy=0.8, seed=1, cases=410).iloc[20:].reset_index(drop=True)
    shared = table["record_id"].isin(GOOD["record_id"])
    table.loc[shared] = GOOD.iloc[20:].to_numpy()
    table.loc[0, "gold"] = next(name for name in DIAGNOSES if name != table.loc[0, "gold"])
    found = against(project, table)
    pairing = found.pairing
    assert (len(pairing.added), len(pairing.removed), pairing.relabelled) == (10, 20, ["toy-00020"])
    assert found.metrics["accuracy"].delta == 0
    text = page(found, shown=20)
    assert "379 paired test cases in 379 independent groups; the test sets differ" in text
    assert "(10 added, 20 removed, 1 relabelled)" in text


def test_no_common_case_is_compared_unpaired(project: Path) -> None:
    found = against(project, predictions(accuracy=0.6, seed=2, prefix="other"))
    assert "No test case is common: 400 cases against 400 others, compared unpaired." in page(found, shown=20)
    paired, unpaired = against(project, POOR).metrics["accuracy"], found.metrics["accuracy"]
    assert found.worse()[0] == "accuracy"
    assert unpaired.delta == pytest.approx(paired.delta)
    assert (found.broken, found.diagnoses[0].broken, found.diagnoses[0].recall.p) == ([], None, None)


def test_a_test_set_of_other_diagnoses_has_drifted(project: Path) -> None:
    table = GOOD[GOOD["gold"] != DIAGNOSES[0]]
    found = against(project, table)
    assert found.drift > 0.1
    assert found.counts[DIAGNOSES[0]]["head"] == 0


def test_changed_parameters_and_code_are_listed(project: Path) -> None:
    changed = {"seed": 1, "train": {"learning_rate": 0.01, "epochs": 5, "lora": None}}
    found = against(project, GOOD, params=changed)
    assert found.params["train.learning_rate"] == {"base": 0.001, "head": 0.01}
    assert found.params["train.lora.rank"] == {"base": 16}
    assert found.params["train.lora"] == {"head": None}
    assert found.outputs == ["models/adapter"]
    assert found.commits == []
    text = Path("dvc.lock").read_text().replace("0" * 32, "1" * 32, 1)
    Path("dvc.lock").write_text(text)
    commit(project, "feat: other code\n\nwith a body")
    again = compare.compare(open_revision("main~1"), open_revision("main"))
    assert again.code == {"stages/train.py": ["train"]}
    assert [line.partition(" ")[2] for line in again.commits] == ["feat: other code"]


def test_a_revision_of_an_older_schema_is_compared_by_what_it_has(project: Path) -> None:
    old = GOOD.drop(columns=["group", "sex", "age_band", "source", "voice", "tuned_confidence", "tuned_brier"])
    found = against(project, old)
    assert "accuracy" in found.metrics
    assert "expected_calibration_error" not in found.metrics
    assert found.metrics["macro_auc_roc"].p is None
    text = page(found, shown=20)
    assert "the working tree: column group: each case counts as independent" in text
    assert "main: column" not in text


@pytest.mark.parametrize(
    ("revision", "complaint"),
    [
        ("nowhere", "nowhere: git knows no such revision here"),
        ("--all", "--all: git knows no such revision here"),
        ("empty", "empty: has no metrics/predictions.csv; choose"),
    ],
)
def test_a_revision_without_a_run_is_an_error_of_one_line(project: Path, revision: str, complaint: str) -> None:
    git(project, "checkout", "--quiet", "--orphan", "empty")
    git(project, "rm", "--quiet", "-r", "-f", "metrics")
    commit(project, "empty")
    with pytest.raises(StageError, match=re.escape(complaint)) as caught:
        compare.compare(open_revision(revision), open_revision("main"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "record_id,gold\na,b\n", "version https://git-lfs\noid\n"])
def test_broken_predictions_are_an_error(project: Path, content: str) -> None:
    Path("metrics/predictions.csv").write_text(content)
    with pytest.raises(StageError, match=r"metrics/predictions\.csv lacks"):
        open_revision(None).predictions()


def test_points_agree_with_scikit_learn_and_with_evaluate() -> None:
    pairing = pair(GOOD.set_index("record_id"), POOR.set_index("record_id"))
    ours = {name: change.head for name, change in changes(pairing).items()}
    assert ours["macro_f1"] == pytest.approx(f1_score(POOR["gold"], POOR["tuned"], average="macro"))
    assert ours["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(POOR["gold"], POOR["tuned"]))
    assert ours["log_loss"] == pytest.approx(-np.log(POOR["tuned_p_gold"]).mean())
    right = POOR["gold"].eq(POOR["tuned"])
    groups = [right.groupby(POOR[column]).mean().min() for column in ("sex", "age_band", "voice")]
    assert ours["worst_group_accuracy"] == pytest.approx(min(groups))
    top = Scores(POOR[["tuned_confidence"]].to_numpy(), np.where(right, 0, 1), np.arange(len(POOR)))
    theirs = expected_calibration_error(top)
    assert ours["expected_calibration_error"] == pytest.approx(theirs)


def test_the_interval_agrees_with_scipy() -> None:
    found = changes(pair(GOOD.set_index("record_id"), POOR.set_index("record_id")))["accuracy"]
    gains = POOR["gold"].eq(POOR["tuned"]).astype(float) - GOOD["gold"].eq(GOOD["tuned"]).astype(float)
    theirs = bootstrap((gains.to_numpy(),), np.mean, method="percentile", rng=1).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_cases_of_one_group_are_drawn_together() -> None:
    copies = [pd.concat([table.iloc[:50]] * 8).sort_index(kind="stable") for table in (GOOD, POOR)]
    copies = [
        table.assign(record_id=[f"c{n}" for n in range(400)], group=[f"g{n // 8}" for n in range(400)])
        for table in copies
    ]
    alone = [table.iloc[:50].assign(group=table["record_id"].iloc[:50]) for table in (GOOD, POOR)]
    wide, same = (
        changes(pair(*(table.set_index("record_id") for table in tables)))["accuracy"] for tables in (copies, alone)
    )
    assert (wide.low, wide.high) == pytest.approx((same.low, same.high))


def test_mcnemar_is_the_exact_binomial_test() -> None:
    for broken, fixed in ((0, 0), (1, 7), (12, 5), (40, 40), (30, 90)):
        outcomes = binom.pmf(range(broken + fixed + 1), broken + fixed, 0.5)
        as_rare = outcomes[outcomes <= outcomes[broken] * (1 + 1e-9)].sum()
        before = np.repeat([True, False, True], [broken, fixed, 10])
        after = np.repeat([False, True, True], [broken, fixed, 10])
        assert exact(before, after) == pytest.approx(max(1e-4, min(1.0, as_rare)))


def test_p_is_corrected_for_the_number_of_metrics() -> None:
    found = changes(pair(GOOD.set_index("record_id"), POOR.set_index("record_id")))
    smallest = min(found.values(), key=lambda change: change.p or 1)
    assert smallest.p is not None
    assert smallest.p_adjusted == pytest.approx(min(1.0, smallest.p * len(found)))
    assert all((change.p_adjusted or 0) >= (change.p or 0) for change in found.values())


def test_the_page_holds_no_broken_table(project: Path) -> None:
    hostile = "@team | <img src=x> `code` [link](x)\n# title"
    changed = PARAMS | {"note": hostile}
    table = POOR.assign(tuned=POOR["tuned"].where(POOR.index > 5, "An <b>odd</b> | name"))
    text = page(against(project, table, params=changed), shown=5)
    assert len(tables(text)) >= 6
    for lines in tables(text):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1, lines
        assert set(lines[1]) == {"|", " ", "-"}
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    for raw in ("@team", "<img", "<b>", "[link]"):
        assert raw not in text
    assert escape("a|b") == "a&#124;b"
    assert text == page(against(project, table, params=changed), shown=5)


def test_a_page_of_many_changes_fits_a_comment(project: Path) -> None:
    many = {f"key_{number}": "x" * 100 for number in range(500)}
    table = predictions(accuracy=0.5, cases=3000, seed=4)
    assert len(page(against(project, table, params=many), shown=20)) < 65_536
