"""Words that speak for a diagnosis: of simulated cases alone, and adding up to the note."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_learner import COMPUTE, DIAGNOSES, save_tuned

from stages.explain import Params, choose, explain
from stages.lib.occlusion import attributions, words_of
from stages.lib.predictions import predictions
from stages.lib.records import write_records
from stages.lib.stage import In, Out

SECRET = "Zyxwv"


def records(count: int = 8, *, source: str = "hpo") -> pd.DataFrame:
    rows = [
        {"record_id": f"{source}-{number}", "patient_id": f"{source}-{number}", "groups": [], "source": source,
         "text": f"[PERSON_1] has fever.\nSeen {number} times{'' if source == 'hpo' else SECRET}",
         "diagnosis": DIAGNOSES[number % 4]}
        for number in range(count)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def run_explain(
    folder: Path, test: pd.DataFrame, *, family: str, objective: str, cases: int = 4
) -> list[dict[str, Any]]:
    save_tuned(folder, objective, family=family)
    write_records(test, folder / "test.parquet")
    guesses = np.random.default_rng(1).dirichlet([1] * 4, size=len(test))
    table = predictions(test, guesses, model="tuned", split="test", diagnoses=DIAGNOSES)
    table.to_parquet(folder / "tuned_predictions.parquet")
    params = Params.model_validate({"compute": COMPUTE.model_dump(), "explain": {"cases": cases}})
    names = ("test.parquet", "tuned_predictions.parquet", "base", "adapter", "calibration.json")
    explain(params, *(In(folder / name) for name in names), Out(folder / "explanations.json"))
    found: list[dict[str, Any]] = json.loads((folder / "explanations.json").read_text())
    return found


@pytest.mark.parametrize(("family", "objective"), [("llama", "classify"), ("bert", "classify"), ("llama", "generate")])
def test_a_case_has_its_differential_and_a_number_for_each_word(family: str, objective: str, tmp_path: Path) -> None:
    test = records()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found = run_explain(tmp_path / name, test, family=family, objective=objective)
    assert (tmp_path / "one/explanations.json").read_bytes() == (tmp_path / "two/explanations.json").read_bytes()
    texts = test.set_index("record_id")["text"]
    assert len(found) == 4
    for case in found:
        assert "".join(token["text"] for token in case["tokens"]) == texts[case["record_id"]]
        shown = [item["probability"] for item in case["differential"]]
        assert shown == sorted(shown, reverse=True)
        assert sum(shown) == pytest.approx(1, abs=1e-3)
        assert any(token["attribution"] for token in case["tokens"])


def test_no_text_of_a_real_patient_is_shown(tmp_path: Path) -> None:
    (tmp_path / "both").mkdir()
    found = run_explain(
        tmp_path / "both", pd.concat([records(3), records(source="files")]), family="llama", objective="classify"
    )
    assert {case["record_id"] for case in found} == {"hpo-0", "hpo-1", "hpo-2"}
    assert SECRET not in (tmp_path / "both/explanations.json").read_text()
    (tmp_path / "real").mkdir()
    assert run_explain(tmp_path / "real", records(source="files"), family="llama", objective="classify") == []


def table(right: int, wrong: int) -> pd.DataFrame:
    rows = [{"gold": "A", "A": 0.9, "B": 0.1}] * right + [{"gold": "A", "A": 0.2, "B": 0.8}] * wrong
    return pd.DataFrame(rows, index=[f"r{number}" for number in range(right + wrong)])


@pytest.mark.parametrize(
    ("right", "wrong", "chosen"), [(9, 9, (3, 3)), (9, 1, (5, 1)), (1, 9, (1, 5)), (2, 0, (2, 0)), (0, 0, (0, 0))]
)
def test_half_of_the_cases_are_wrong_ones_if_there_are(right: int, wrong: int, chosen: tuple[int, int]) -> None:
    given_table = table(right, wrong) if right + wrong else table(1, 0).iloc[:0]
    names = choose(given_table, 6)
    hits = sum(int(name[1:]) < right for name in names)
    assert (hits, len(names) - hits) == chosen
    assert len(set(names)) == len(names)


def test_a_word_that_alone_speaks_for_a_diagnosis_has_the_highest_number() -> None:
    class Keyword:
        def encode(self, texts: list[str]) -> list[str]:
            return texts

        def scores(self, texts: list[str]) -> np.ndarray:
            return np.array([[2.0 * ("rash" in text), 0.0] for text in texts], dtype="float32")

    found = attributions(Keyword(), "A rash since May", diagnosis=0)  # type: ignore[arg-type]
    assert found == pytest.approx([0, 2, 0, 0])
    assert attributions(Keyword(), "A rash", diagnosis=1)[1] < 0  # type: ignore[arg-type]


@given(st.text())
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(words_of(text)) == (text if text.strip() else "")
