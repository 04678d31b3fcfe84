"""The trained model on cases from elsewhere: what is counted, what is refused, and that no PHI comes out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, TINY, merge
from toy_learner import DIAGNOSES, save_tuned

from stages.lib.isolation import OFFLINE, QUIET
from stages.lib.stage import StageError
from tools.external import main, validate

ONTOLOGY = ROOT / "tests/cases/scrub/one-patient-two-notes/given/data/ontology"
NAME, NUMBER = "Wilhelmina Fotheringay", "48213377"
TEXT = "Mrs. {name}, MRN {number}, has had fever and joint pain for {days} days."
UNKNOWN = "Scurvy"
Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path, ner_models: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that validates a table of cases in a workspace with a tiny model."""
    for folder in ("data", "models", "metrics"):
        (tmp_path / folder).mkdir()
    for link, target in {"dvc.yaml": ROOT / "dvc.yaml", "models/ner": ner_models, "data/ontology": ONTOLOGY}.items():
        (tmp_path / link).symlink_to(target)
    params = merge(yaml.safe_load((ROOT / "params.yaml").read_text()), TINY)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFERENTIAL_WORKERS", "1")

    def validated(cases: pd.DataFrame, /, *, objective: str = "classify", **arguments: object) -> Path:
        if not Path("models/adapter").exists():
            save_tuned(Path("models"), objective)
        cases.to_csv("cases.csv", index=False)
        given = {
            "cases": Path("cases.csv"),
            "columns": ["text=note", "diagnosis=dx"],
            "labels_map": None,
            "labels": None,
        }
        validate(argparse.Namespace(**{"out": Path("found")} | given | arguments))
        return Path("found")

    return validated


def table(*diagnoses: str) -> pd.DataFrame:
    texts = [TEXT.format(name=NAME, number=NUMBER, days=days) for days, _ in enumerate(diagnoses, start=2)]
    return pd.DataFrame({"note": texts, "dx": diagnoses})


def test_unknown_diagnoses_are_counted_as_wrong_and_phi_is_in_no_file(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    found = run(
        table(*DIAGNOSES * 2, *[UNKNOWN] * 5, "Rickets", ""), columns=["text=note", "diagnosis=dx"], **most(0.2)
    )
    summary = json.loads((found / "evaluation.json").read_text())
    assert (summary["cases"], summary["cases_of_unknown_diagnoses"], summary["unknown_diagnoses"]) == (14, 6, 2)
    assert (summary["rows_rejected"], summary["calibrated"]) == (1, True)
    tuned = summary["tuned"]
    assert tuned["accuracy_all_cases"] == pytest.approx(tuned["accuracy"] * 8 / 14, abs=1e-3)
    assert pd.read_csv(found / "unknown_diagnoses.csv").to_numpy().tolist() == [
        [UNKNOWN, 5],
        ["(1 diagnoses with fewer than 5 cases)", 1],
    ]
    assert len(pd.read_csv(found / "predictions.csv")) == 8
    written = "\n".join(path.read_text() for path in found.iterdir()) + "".join(capfd.readouterr())
    assert not [value for value in (*NAME.split(), NUMBER, "joint pain", "Rickets") if value in written]
    assert found.stat().st_mode & 0o777 == 0o700
    assert {path.suffix for path in found.iterdir()} == {".csv", ".json", ".md"}


def most(share: float) -> dict[str, object]:
    """Allow a share of rejected rows in the workspace's params.yaml."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(merge(params, {"acquire": {"max_rejected": share}})))
    return {}


def test_a_map_of_labels_brings_cases_to_the_models_diagnoses_and_two_runs_the_same_bytes(run: Run) -> None:
    Path("map.yaml").write_text(f"{UNKNOWN}: {DIAGNOSES[0]}\n")
    arguments = {"labels_map": Path("map.yaml")}
    one = run(table(UNKNOWN, *DIAGNOSES), **arguments)
    two = run(table(UNKNOWN, *DIAGNOSES), out=Path("again"), **arguments)
    assert json.loads((one / "evaluation.json").read_text())["cases_of_unknown_diagnoses"] == 0
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in two.iterdir()
    }


def test_a_generator_chooses_from_other_labels_uncalibrated(run: Run) -> None:
    Path("labels.txt").write_text(f"{UNKNOWN}\n\nRickets\n")
    found = run(table(UNKNOWN, "Rickets", UNKNOWN), objective="generate", labels=Path("labels.txt"))
    summary = json.loads((found / "evaluation.json").read_text())
    assert (summary["diagnoses"], summary["cases_of_unknown_diagnoses"], summary["calibrated"]) == (2, 0, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"columns": ["text=remarks"]}, r"^--columns: .* has no column for text: 'remarks'.*it has note, dx$"),
        ({"columns": ["text"]}, r"^--columns: .*has no column"),
        ({"columns": ["body=note"]}, r"^--columns: columns.body: give NAME=COLUMN, with NAME one of text, diagnosis"),
        ({"cases": Path("none.csv")}, r"^--cases: none.csv does not exist$"),
        ({"out": Path("models")}, r"^--out: models is there already"),
        ({"labels": Path("params.yaml")}, r"^--labels: the model was trained to classify"),
        ({"labels_map": Path("map.yaml")}, r"^--labels-map: no diagnosis of the model: Beriberi"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_left(
    run: Run, arguments: dict[str, object], said: str
) -> None:
    Path("map.yaml").write_text(f"{UNKNOWN}: Beriberi\n")
    with pytest.raises(StageError, match=said):
        run(table(*DIAGNOSES), **arguments)
    assert not list(Path().glob("found*"))


def test_cases_of_unknown_diagnoses_alone_are_refused_and_nothing_is_left(run: Run) -> None:
    with pytest.raises(StageError, match="knows none of the diagnoses; map them by --labels-map"):
        run(table(UNKNOWN, UNKNOWN))
    assert not list(Path().glob("found*"))


def test_the_command_line_prints_the_headline_and_where_the_report_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_tuned(Path("models"), "classify")
    table(*DIAGNOSES).to_csv("other.csv", index=False)
    monkeypatch.setattr("tools.external.refuse_network", lambda stage: None)  # for good, and the tests go on
    for name, value in (QUIET | OFFLINE).items():  # which main sets, and the fixture takes back
        monkeypatch.setenv(name, value)
    given = "--cases other.csv --out found --columns text=note diagnosis=dx"
    monkeypatch.setattr("sys.argv", ["external", *given.split()])
    main()
    headline, where = capsys.readouterr().out.splitlines()
    assert headline.startswith("accuracy ")
    assert where == "found/report.md"
