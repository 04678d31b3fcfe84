"""Changed texts of test cases, and what a model makes of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_augment import FREE, RECORDS
from toy_learner import COMPUTE, DIAGNOSES, save_tuned
from toy_sources import write_ontology

from stages.lib.perturbation import PERTURBATIONS, Context, perturbed, read_context
from stages.lib.placeholders import PLACEHOLDER
from stages.lib.records import write_records
from stages.lib.stage import In, Out
from stages.stress import Params, moved, stress

WRITTEN = ("robustness.json", "perturbations.csv")
PLACEHOLDERS = {"placeholders_blank", "placeholders_tagged", "placeholders_surrogate", "name_origin", "another_voice"}
CASES = [
    record | {"diagnosis": DIAGNOSES[number % 4], "patient_id": f"p-{number // 2}", "groups": []}
    for number, record in enumerate(RECORDS)
] + [FREE | {"diagnosis": DIAGNOSES[0], "age": None}]


@pytest.fixture(scope="module")
def ontology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ontology(tmp_path_factory.mktemp("ontology"))


@pytest.fixture(scope="module")
def context(ontology: Path) -> Context:
    return read_context(ontology, pd.DataFrame(CASES), seed=1)


def run_stress(
    folder: Path, ontology: Path, *, objective: str = "classify", cases: int = 100
) -> tuple[dict[str, Any], pd.DataFrame]:
    save_tuned(folder, objective)
    write_records(pd.DataFrame(CASES), folder / "test.parquet")
    params = Params.model_validate({"seed": 1, "compute": COMPUTE.model_dump(), "stress": {"cases": cases}})
    test, base, adapter, calibration = (
        In(folder / name) for name in ("test.parquet", "base", "adapter", "calibration.json")
    )
    stress(params, test, In(ontology), base, adapter, calibration, *(Out(folder / name) for name in WRITTEN))
    return json.loads((folder / WRITTEN[0]).read_text()), pd.read_csv(folder / WRITTEN[1])


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_changes_some_texts_and_always_in_the_same_way(name: str, context: Context) -> None:
    pairs = [perturbed(case, name, context, seed=1) for case in CASES]
    assert any(pairs) or name == "sex_swapped"  # all toy patients are women
    assert pairs == [perturbed(case, name, context, seed=1) for case in CASES]
    assert all(before != after for before, after in filter(None, pairs))


@pytest.mark.parametrize("name", sorted(PERTURBATIONS.keys() - PLACEHOLDERS))
def test_a_perturbation_leaves_placeholders_of_identifiers_intact(name: str, context: Context) -> None:
    for case in CASES:
        if pair := perturbed(case, name, context, seed=2):
            assert sorted(PLACEHOLDER.findall(pair[1])) == sorted(PLACEHOLDER.findall(case["text"]))


def test_placeholders_are_told_in_another_style(context: Context) -> None:
    text = FREE | {"text": "[PERSON_1], [ODD_2], seen on [DATE_TIME_1] by [PERSON_2]."}
    told = {name: (perturbed(text, name, context, seed=1) or ("", ""))[1] for name in PERTURBATIONS}
    assert told["placeholders_blank"] == "____, ____, seen on ____ by ____."
    assert told["placeholders_tagged"] == "<NAME>, <ODD>, seen on <DATE_TIME> by <NAME>."
    assert re.fullmatch(r"[^\[\]]+, \[ODD_2\], seen on .*\d.* by [^\[\]]+\.", told["placeholders_surrogate"])


def test_another_voice_tells_the_same_findings(context: Context) -> None:
    for case in RECORDS:
        before, after = perturbed(case, "another_voice", context, seed=1) or ("", "")
        told = [set(re.findall(r"(?i)finding number(\d+)", text)) for text in (before, after)]
        assert told[0] == told[1]
    assert perturbed(FREE, "another_voice", context, seed=1) is None


def test_reordering_and_distractors_keep_every_sentence(context: Context) -> None:
    case = FREE | {"text": "Has fever.\n\nSeen twice. Known:\n- rash\n- cough\nHome, well."}
    _, moved_about = perturbed(case, "sentence_order", context, seed=1) or ("", "")
    assert sorted(re.findall(r"\w+", moved_about)) == sorted(re.findall(r"\w+", case["text"]))
    assert "Known:\n- rash\n- cough" in moved_about
    for name in ("distractor_relative", "distractor_unrelated"):
        _, longer = perturbed(case, name, context, seed=1) or ("", "")
        assert set(case["text"].split()) < set(longer.split())


def test_a_negation_flips_what_the_record_denies_or_any_finding_where_it_names_none(context: Context) -> None:
    (_, told) = perturbed(RECORDS[0], "negation_flipped", context, seed=1) or ("", "")
    assert told.endswith("There was finding number9.")
    denied = FREE | {"text": "No allergies. No finding number3."}
    assert perturbed(denied, "negation_flipped", context, seed=1) == (denied["text"], "No allergies. Finding number3.")
    other = denied | {"excluded_phenotypes": ["HP:2000004"]}
    assert perturbed(other, "negation_flipped", context, seed=1) is None


@pytest.mark.parametrize("objective", ["classify", "generate"])
def test_what_moved_is_told_by_perturbation_in_the_same_bytes(objective: str, tmp_path: Path, ontology: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        summary, found = run_stress(tmp_path / name, ontology, objective=objective)
    for name in WRITTEN:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert list(found["perturbation"]) == list(PERTURBATIONS)
    tried = found[found["cases"] > 0].set_index("perturbation")
    assert summary == {"cases": len(CASES), "changed": tried["changed"].to_dict()}
    assert set(PERTURBATIONS) - set(tried.index) == {"sex_swapped"}
    assert set(tried.index[tried["expected"] == "changes"]) == {"negation_flipped"}
    assert (tried["changed_low"] <= tried["changed"]).all()
    assert (tried["changed"] <= tried["changed_high"]).all()
    assert tried[["accuracy", "accuracy_before", "probability_shift"]].stack().between(0, 1).all()


def test_the_sample_is_drawn_by_ids_and_holds_no_text(tmp_path: Path, ontology: Path) -> None:
    assert run_stress(tmp_path, ontology, cases=3)[0]["cases"] == 3
    assert not any("finding" in (tmp_path / name).read_text() for name in WRITTEN)


def test_what_moved_is_counted_once_for_each_group() -> None:
    before = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
    after = np.array([[0.4, 0.6], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]])
    gold = np.array([0, 1, 1, 1])
    apart, together = (moved(before, after, gold=gold, groups=np.array(groups)) for groups in ([0, 1, 2, 3], [0] * 4))
    assert apart == {"changed": 0.5, "changed_low": 0.15, "changed_high": 0.85, "accuracy": 0.75,
                     "accuracy_before": 0.75, "probability_shift": 0.25}  # fmt: skip
    assert together["changed_high"] - together["changed_low"] > apart["changed_high"] - apart["changed_low"]
