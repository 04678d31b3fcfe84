"""Scrubbing: PHI goes, clinical words stay, one value has one placeholder, and nothing but the data decides."""

import json
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.lib.phi.canaries import TEXTS
from stages.lib.phi.engine import Finder, load_finder
from stages.lib.phi.redaction import redact
from stages.lib.phi.registry import load_recognizers
from stages.lib.phi.spans import Span, outside, placeholders, union, whole_words
from stages.lib.records import read_records, schema, write_records
from stages.lib.stage import In, Out, StageError
from stages.scrub import Params, scrub

Scrub = Callable[..., list[str]]
ONTOLOGY = ROOT / "tests/cases/scrub/one-patient-two-notes/given/data/ontology"


@pytest.fixture(scope="module")
def finder(ner_models: Path) -> Finder:
    """Return the finder with the default parameters."""
    return load_finder(ner_models, ONTOLOGY, 0.35, ("NRP",))


@pytest.fixture(scope="module")
def scrub_texts(finder: Finder) -> Scrub:
    """Return a function from the texts of one patient to the scrubbed ones."""

    def scrubbed(*texts: str) -> list[str]:
        return [text for text, _ in redact([texts], finder.find, finder.lexicon)[0]]

    return scrubbed


PHI = [
    # names: titles, labels, initials, degrees
    ("Seen by Dr. Amara Okonkwo-Lindqvist today.", ["Amara", "Okonkwo", "Lindqvist"]),
    ("Mr Parkinson has a tremor.", ["Parkinson"]),
    ("Patient name: QUENTIN HARGREAVES", ["QUENTIN", "HARGREAVES"]),
    ("A 54-year-old man, Walter K., was admitted.", ["Walter", "K."]),
    ("Reviewed with Priya Raghunathan, MD, at noon.", ["Priya", "Raghunathan"]),
    # numbers of a person
    ("MRN: 00-4471-932 was checked.", ["4471", "932"]),
    ("Her policy number is BX-7719-22, valid.", ["BX-7719", "7719-22"]),
    ("SSN 536-22-8145 on file.", ["536-22", "8145"]),
    ("Pacemaker serial number SN48832K was read.", ["SN48832K"]),
    # contacts
    ("Call (415) 555-2671 or write to w.kessler@clinicmail.org.", ["555-2671", "kessler", "clinicmail"]),
    ("Reach him at +44 7700 900123.", ["7700", "900123"]),
    ("Results at https://portal.example.com/p/8831 from 10.20.30.41.", ["portal", "8831", "10.20.30.41"]),
    # dates finer than a year
    ("Admitted on 03/14/2021, discharged 2021-03-20.", ["03/14", "2021-03-20"]),
    ("Operated on the 5th of November 2019.", ["5th", "November"]),
    ("Seen in March and again on Feb 2nd, '22.", ["March", "Feb 2nd"]),
    # places
    ("Lives at 1427 Larkspur Lane, Apt 3, Boise, ID 83702.", ["1427", "Larkspur", "Boise", "83702"]),
    ("Transferred from St. Brendan's Hospital in Duluth.", ["Brendan", "Duluth"]),
    # ages over 89
    ("A 93-year-old woman fell.", ["93"]),
    ("He is a 101 yo male.", ["101"]),
]


@pytest.mark.parametrize(("text", "values"), PHI)
def test_phi_is_replaced(scrub_texts: Scrub, text: str, values: list[str]) -> None:
    (scrubbed,) = scrub_texts(text)
    assert [value for value in values if value in scrubbed] == []


@pytest.mark.parametrize(
    "text",
    [
        "A 45-year-old woman has had fever for two weeks, worse at night.",
        "She has Parkinson's disease, Crohn disease and a positive Babinski sign.",
        "BP 120/80 mmHg, SpO2 98 % on room air, GCS 15, strength 5/5, T 37.2.",
        "MRI showed a herniated disc at L4-L5 in 2021.",
        "Started on metformin 500 mg twice a day and warfarin 5 mg.",
        "Cultures grew Staphylococcus aureus and Klebsiella pneumoniae.",
        "Brachydactyly, micrognathia and hypotonia were noted since infancy.",
        "COPD, CHF and HTN since last year; an 89-year-old man.",
        "Genetic testing found a BRCA1 variant; HP:0001250 was recorded.",
    ],
)
def test_clinical_words_stay(scrub_texts: Scrub, text: str) -> None:
    assert scrub_texts(text) == [text]


def test_a_value_has_one_placeholder_in_all_texts_of_a_patient(scrub_texts: Scrub) -> None:
    first, second = scrub_texts("Dr. Ingrid Halvorsen saw him on 2020-05-06.", "Halvorsen called on 2020-05-06.")
    assert first == "[PERSON_1] saw him on [DATE_TIME_1]."
    assert second == "[PERSON_1] called on [DATE_TIME_1]."


def test_a_name_found_in_one_text_goes_from_the_others_and_not_from_another_patient(finder: Finder) -> None:
    texts = [["Patient name: Zubin Coug", "then qualm, ZUBIN agreed"], ["later the cough got worse"]]
    (_, (second, _)), ((other, spans),) = redact(texts, finder.find, finder.lexicon)
    assert second == "then qualm, [PERSON_1] agreed"
    assert (other, spans) == (texts[1][0], [])


def test_two_people_have_two_numbers(scrub_texts: Scrub) -> None:
    assert scrub_texts("Mr. John Ashdown and Mrs. Mary Ashdown") == ["[PERSON_1] and [PERSON_2]"]


def test_placeholders_stay_and_new_numbers_follow_them(scrub_texts: Scrub) -> None:
    text = "[PERSON_7] met [ORGANIZATION_2]; MRN: A778812"
    assert scrub_texts(text) == ["[PERSON_7] met [ORGANIZATION_2]; MRN: [MEDICAL_RECORD_NUMBER_1]"]
    assert scrub_texts("[PERSON_7] met Dr. Ingrid Halvorsen.") == ["[PERSON_7] met [PERSON_8]."]


@pytest.mark.parametrize("text", ["", " ", "\x00", "a\x00b", "👩‍⚕️ مريض ٣", "e\u0301" * 30, "[PERSON_1]" * 3])
def test_odd_texts_without_phi_are_left_alone(scrub_texts: Scrub, text: str) -> None:
    assert scrub_texts(text) == [text]


PIECES = st.sampled_from([text for text, _ in PHI] + ["[PERSON_3]", "fever", "\n", "é", "👩‍⚕️", ", ", "Halvorsen", "12"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(PIECES, max_size=5).map(" ".join), min_size=1, max_size=2))
@example([text for text, _ in PHI])
def test_scrubbing_is_idempotent_and_spans_tell_what_was_replaced(finder: Finder, texts: list[str]) -> None:
    once = redact([texts], finder.find, finder.lexicon)[0]
    scrubbed = [text for text, _ in once]
    assert redact([scrubbed], finder.find, finder.lexicon)[0] == [(text, []) for text in scrubbed]
    for text, (new, spans) in zip(texts, once, strict=True):
        kept = [text[start:end] for start, end, *_ in outside([Span(0, len(text), "")], [span[:2] for span in spans])]
        assert [piece for piece in kept if piece not in new] == []
        assert all(before.end <= after.start for before, after in pairwise(spans))


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6))
def test_union_covers_what_it_unites_and_is_disjoint(text: str, ranges: list[tuple[int, int]]) -> None:
    spans = [Span(start, end, "ID") for start, end in ranges if start < end <= len(text)]
    united = union(spans, text)
    assert {i for s in spans for i in range(*s[:2])} == {i for s in united for i in range(*s[:2])}
    assert all(before.end <= after.start for before, after in pairwise(united))


@given(st.text(max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_a_span_ends_where_a_word_does(text: str, start: int, end: int) -> None:
    if not start < end <= len(text):
        return
    span = whole_words(text, Span(start, end, "PERSON"))
    if span:
        assert not text[span.start - 1 : span.start].isalnum() or not text[span.start].isalnum()
        assert not text[span.end : span.end + 1].isalnum() or not text[span.end - 1].isalnum()


def test_what_lies_outside_placeholders_is_cut_out() -> None:
    text = "John [PERSON_1] Smith"
    assert outside([Span(0, len(text), "PERSON")], placeholders(text)) == [Span(0, 5, "PERSON"), Span(15, 21, "PERSON")]


def raw(path: Path, copies: int = 1) -> list[str]:
    """Write records of the PHI above, two texts per patient, and return the values that must go."""
    rows = [
        {
            "record_id": f"r{copy}-{number:03}",
            "patient_id": f"p{copy}-{number // 2:03}",
            "groups": ["PMID:1"],
            "text": text,
            "diagnosis": "Fabry disease",
            "age": 88.0 + number,
            "date": "2020-05-06",
            "voice": "clinician",
            "phi": [{"start": text.index(v), "end": text.index(v) + len(v), "entity": "VALUE"} for v in values],
        }
        for copy in range(copies)
        for number, (text, values) in enumerate(PHI)
    ]
    write_records(pd.DataFrame(rows), path)
    return [value for _, values in PHI for value in values if len(value) > 4]


def run_scrub(folder: Path, ner: Path, copies: int = 1, **changes: object) -> list[bytes]:
    """Run the stage on the PHI above and return the bytes of its outputs: records, audit and metrics."""
    raw(folder / "raw.parquet", copies)
    given = {"policy": "redact", "key_fingerprint": None, "score_threshold": 0.35, "kept_entities": ["NRP"]} | changes
    outputs = [folder / name for name in ("scrubbed.parquet", "scrub_audit.parquet", "scrubbing.json")]
    scrub(
        Params.model_validate({"scrub": given}), In(folder / "raw.parquet"), In(ner), In(ONTOLOGY), *map(Out, outputs)
    )
    return [path.read_bytes() for path in outputs]


def test_no_phi_is_left_in_outputs_and_logs(
    tmp_path: Path, ner_models: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        table, noted, metrics = run_scrub(tmp_path, ner_models)
    values = raw(tmp_path / "raw.parquet")
    records = read_records(tmp_path / "scrubbed.parquet")
    said = "".join(capfd.readouterr()) + caplog.text
    for place in (records.to_csv(), metrics.decode(), said, table.decode("latin-1"), noted.decode("latin-1")):
        assert [value for value in values if value in place] == []
    measured = json.loads(metrics)
    assert measured["documents"] == measured["documents_changed"] == len(PHI)
    assert measured["leak"] == 0
    assert measured["recall"]["VALUE"]["value"] == 1
    assert measured["canaries"] == sum(len(texts) for _, texts in TEXTS.values())
    assert measured["canaries_left"] == measured["phi_hits"] == 0
    assert "Brannigan" not in said + records.to_csv()


def test_the_audit_has_a_row_for_each_span_with_its_offsets_and_no_value(tmp_path: Path, ner_models: Path) -> None:
    *_, metrics = run_scrub(tmp_path, ner_models)
    noted, given = pd.read_parquet(tmp_path / "scrub_audit.parquet"), read_records(tmp_path / "raw.parquet")
    assert noted["entity"].value_counts().to_dict() == json.loads(metrics)["spans"]
    assert list(noted.columns) == [
        *("record_id", "entity", "start", "end", "recognizer", "score", "policy", "version"),
    ]
    texts = given.set_index("record_id")["text"]
    found = [texts[row.record_id][row.start : row.end] for row in noted.itertuples() if row.entity == "AGE"]
    assert sorted(found) == ["101 yo", "93-year-old"]
    scores = noted.set_index("recognizer")["score"]
    assert scores["AgeRecognizer"].between(0.35, 1).all()
    assert noted["recognizer"].ne("").all()
    assert noted[noted["recognizer"].str.startswith("NER")]["score"].isna().all()
    assert set(noted["policy"]) == {"redact"}


def test_columns_are_those_of_a_record_without_gold_and_with_years(tmp_path: Path, ner_models: Path) -> None:
    run_scrub(tmp_path, ner_models)
    records = read_records(tmp_path / "scrubbed.parquet")
    assert list(records.columns) == [name for name in schema().names if name != "phi"]
    assert set(records["date"]) == {"2020"}
    assert records["age"].max() == 90
    assert records["age"].min() == 88
    assert {tuple(groups) for groups in records["groups"]} == {("PMID:1",)}


def test_the_number_of_workers_changes_no_byte(
    tmp_path: Path, ner_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[list[bytes]] = []
    for workers in ("1", "3"):
        monkeypatch.setenv("DIFFERENTIAL_WORKERS", workers)
        outputs.append(run_scrub(tmp_path, ner_models, copies=8))
    assert outputs[0] == outputs[1]


def test_the_stage_refuses_to_run_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "ner").mkdir()
    with pytest.raises(StageError, match="holds no spaCy model"):
        run_scrub(tmp_path, tmp_path / "ner")


def test_a_pattern_that_runs_out_of_time_stops_the_run(
    tmp_path: Path, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = {"name": "slow", "type": "custom", "supported_entity": "ID", "supported_language": "en"}
    slow["patterns"] = [{"name": "nested", "regex": r"(?:x|xx)+y", "score": 0.9}]
    (tmp_path / "slow.yaml").write_text(json.dumps({"supported_languages": ["en"], "recognizers": [slow]}))
    recognizers = load_recognizers(tmp_path / "slow.yaml")
    monkeypatch.setattr("presidio_analyzer.pattern_recognizer.REGEX_TIMEOUT_SECONDS", 0.1)
    searching = Finder(finder.models, recognizers, finder.lexicon, score_threshold=0.35)
    with pytest.raises(
        StageError, match=r"scrub: Regex pattern 'nested' timed out after 0\.1 seconds: PHI could be left"
    ):
        searching.find(["x" * 60 + "zy"])


@pytest.mark.parametrize("workers", ["0", "two", "-1", "1.5"])
def test_a_bad_number_of_workers_is_refused(
    tmp_path: Path, ner_models: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("DIFFERENTIAL_WORKERS", workers)
    with pytest.raises(StageError, match="DIFFERENTIAL_WORKERS"):
        run_scrub(tmp_path, ner_models)
