"""The acquire stage: pseudonyms, gates, and one schema whatever the source."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml

from stages.acquire import SOURCES, Params, acquire
from stages.lib.params import read_params
from stages.lib.records import read_records, schema
from stages.lib.stage import In, Out, StageError
from stages.sources.cases import Case, Inputs
from tests.toy_sources import CASES, FILE, HPO, STORE, document, phenopacket, write_archive, write_ontology

KEY = "a key of at least sixteen bytes"
FINGERPRINT = hashlib.sha256(KEY.encode()).hexdigest()[:16]


@pytest.fixture(scope="session")
def ontology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ontology(tmp_path_factory.mktemp("ontology"))


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFERENTIAL_KEY", raising=False)


def run(folder: Path, ontology: Path, content: str = CASES, **changes: Any) -> Path:
    incoming = folder / "incoming"
    incoming.mkdir(exist_ok=True)
    (incoming / "cases.csv").write_text(content)
    write_archive(incoming / "store.zip", {f"{n}.json": phenopacket(n) for n in range(6)})
    acquire(
        Params.model_validate(document(**changes)),
        incoming=In(incoming),
        fetched=In(folder),
        ontology=In(ontology),
        raw=Out(folder / "raw.parquet"),
        rejected=Out(folder / "rejected.parquet"),
        acquisition=Out(folder / "acquisition.json"),
    )
    return folder


def test_all_sources_share_one_schema_and_unique_ids(tmp_path: Path, ontology: Path) -> None:
    run(tmp_path, ontology, sources=["hpo", "files", "phenopackets"])
    records = read_records(tmp_path / "raw.parquet")
    assert list(records.columns) == schema().names  # gold spans too, which the simulated patients have
    assert records["record_id"].is_unique
    assert all(
        record.startswith(f"{source}-") for record, source in zip(records["record_id"], records["source"], strict=True)
    )
    assert records.groupby("source").size().to_dict() == {"files": 3, "hpo": 64, "phenopackets": 6}


def test_the_summary_counts_what_was_written(tmp_path: Path, ontology: Path) -> None:
    run(tmp_path, ontology, CASES + "r4,4713,,,Flu\n", max_rejected=0.5)
    assert json.loads((tmp_path / "acquisition.json").read_text()) == {
        "records": 3,
        "patients": 2,
        "groups": 1,
        "diagnoses": 2,
        "min_cases_per_diagnosis": 1,
        "max_cases_per_diagnosis": 2,
        "records_by_source": {"files": 3},
        "records_by_voice": {},
        "rejected": 1,
        "rejected_by_reason": {"no text": 1},
    }
    rejected = pd.read_parquet(tmp_path / "rejected.parquet").to_dict("records")
    assert rejected == [{"source": "files", "file": "cases.csv", "row": "5", "reason": "no text"}]


def test_no_id_or_group_of_a_file_is_in_the_output(tmp_path: Path, ontology: Path) -> None:
    run(tmp_path, ontology)
    records = read_records(tmp_path / "raw.parquet")
    told = records[["record_id", "patient_id", "groups"]].to_json()
    assert not any(secret in told for secret in ("r1", "4711", "Doe"))
    first, second, third = (records[records["text"] == text].iloc[0] for text in ("cough", "rash", "ache"))
    assert first["patient_id"] == second["patient_id"] != third["patient_id"]
    assert list(first["groups"]) == list(second["groups"]) != list(third["groups"]) == []


def test_publications_stay_readable(tmp_path: Path, ontology: Path) -> None:
    run(tmp_path, ontology, sources=["phenopackets"])
    groups = read_records(tmp_path / "raw.parquet")["groups"].explode()
    assert set(groups) == {"PMID:1000", "PMID:1001", "PMID:1002"}


def test_pseudonyms_depend_on_the_key_alone(tmp_path: Path, ontology: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name, key in [("a", None), ("b", KEY), ("c", KEY), ("d", KEY + "!")]:
        fingerprint = hashlib.sha256(key.encode()).hexdigest()[:16] if key else None
        monkeypatch.setenv("DIFFERENTIAL_KEY", key or "")
        (tmp_path / name).mkdir()
        run(tmp_path / name, ontology, key_fingerprint=fingerprint)
        found.append(frozenset(read_records(tmp_path / name / "raw.parquet")["record_id"]))
    assert found[1] == found[2]
    assert not found[0] & found[1]
    assert not found[1] & found[3]


@pytest.mark.parametrize(
    ("key", "fingerprint", "expected"),
    [
        ("", FINGERPRINT, f"{FINGERPRINT} is pinned, but DIFFERENTIAL_KEY has none"),
        (
            "another key, long enough",
            FINGERPRINT,
            f"{FINGERPRINT} is pinned, but DIFFERENTIAL_KEY has the fingerprint ",
        ),
        ("short", hashlib.sha256(b"short").hexdigest()[:16], "fewer than 16 bytes"),
    ],
)
def test_a_key_that_is_not_the_pinned_one_stops_the_run(
    tmp_path: Path, ontology: Path, monkeypatch: pytest.MonkeyPatch, key: str, fingerprint: str, expected: str
) -> None:
    monkeypatch.setenv("DIFFERENTIAL_KEY", key)
    with pytest.raises(StageError) as error:
        run(tmp_path, ontology, key_fingerprint=fingerprint)
    assert expected in str(error.value)
    assert not key or key not in str(error.value)


def test_the_public_key_is_warned_about_for_files_only(
    tmp_path: Path, ontology: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.WARNING):
        run(tmp_path, ontology, sources=["phenopackets"])
        assert not [record for record in caplog.records if record.levelno > logging.INFO]
        monkeypatch.setenv("DIFFERENTIAL_KEY", KEY)
        run(tmp_path, ontology)
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["WARNING"]
    assert FINGERPRINT in caplog.text


@pytest.mark.parametrize(
    ("content", "changes", "expected"),
    [
        (CASES + "r4,1,,,Flu\nr5,1\n", {"max_rejected": 0.1}, "2 of 5 rows can't be used"),
        (CASES + "r4,1,,,Flu\n", {"max_rejected": 0.1}, "no text: 1 (first: row 5 of cases.csv)"),
        ("id,mrn,family,note,dx\nr4,1,,,Flu\n", {"max_rejected": 1.0}, "no usable row"),
        (CASES.replace("Measles", "Flu"), {}, "same diagnosis"),
        (CASES + "r1,4711,Doe,cough,Flu\n", {}, "duplicate id in rows 2 and 5 of cases.csv (1 such ids)"),
        (CASES, {"files": [FILE, FILE]}, "duplicate id in rows 2 and 2 of cases.csv (3 such ids)"),
    ],
)
def test_a_gate_stops_in_one_line_without_ids(
    tmp_path: Path, ontology: Path, content: str, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(StageError) as error:
        run(tmp_path, ontology, content, **changes)
    message = str(error.value)
    assert expected in message
    assert "\n" not in message
    assert not any(secret in message for secret in ("r1", "4711", "Doe", "cough"))
    assert not (tmp_path / "raw.parquet").exists()


def test_simulated_patients_come_last_and_know_what_came_before(
    tmp_path: Path, ontology: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Inputs] = []

    def read(params: Any, inputs: Inputs) -> Iterator[Case]:
        seen.append(Inputs(**vars(inputs) | {"diagnoses": dict(inputs.diagnoses)}))
        yield from ()

    monkeypatch.setitem(SOURCES, "hpo", SimpleNamespace(read=read))
    run(tmp_path, ontology, sources=["hpo", "phenopackets"])
    assert seen[0].diagnoses == {"OMIM:0": "Toy disease 0", "OMIM:1": "Toy disease 1"}
    assert list(seen[0].publications) == ["PMID:1000", "PMID:1001", "PMID:1002"]


def test_the_same_parameters_give_the_same_bytes(tmp_path: Path, ontology: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, ontology, sources=["hpo", "phenopackets", "files"])
        assert len(list((tmp_path / name).iterdir())) == 4  # data/incoming and three outputs, nothing else
    for name in ("raw.parquet", "rejected.parquet", "acquisition.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sources": ["medqa2"]}, "acquire.sources[0]: 'medqa2': choose from "),
        ({"sources": []}, "acquire.sources"),
        ({"sources": ["hpo", "hpo"]}, "name each source once"),
        ({"files": []}, "list at least one file"),
        ({"files": [FILE | {"file": "../x.csv"}]}, "acquire.files[0].file: '../x.csv': name a file inside"),
        ({"key_fingerprint": "abc"}, "acquire.key_fingerprint: 'abc'"),
        ({"max_rejected": 1.5}, "acquire.max_rejected: 1.5"),
        ({"hpo": HPO | {"family_history": 2}}, "acquire.hpo.family_history: 2"),
        ({"phenopackets": STORE | {"file": "/x.zip"}}, "acquire.phenopackets.file: '/x.zip'"),
        ({"medqa2": {}}, "acquire.medqa2: unknown parameter"),
    ],
)
def test_bad_parameters_are_named(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document(**changes)))
    with pytest.raises(StageError) as error:
        read_params(Params, ["seed", "acquire"], str(path))
    assert expected in str(error.value)


@pytest.mark.parametrize("path", ["params.yaml", *sorted(map(str, Path("profiles").glob("*.yaml")))])
def test_shipped_parameters_are_valid(path: str) -> None:
    read_params(Params, ["seed", "acquire"], path)


def test_a_patient_of_several_of_a_hospitals_sources_is_one_patient(tmp_path: Path, ontology: Path) -> None:
    judged = {"record_id": "a1", "patient_id": "4711", "text": "cough again", "diagnosis": "Flu", "status": "confirmed"}
    judged |= {"adjudicated_at": "2024-01-01T00:00:00Z", "adjudicator": "x"}
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming/feedback.jsonl").write_text(json.dumps(judged) + "\n")
    run(tmp_path, ontology, sources=["files", "feedback"], feedback={"file": "feedback.jsonl"})
    patients = read_records(tmp_path / "raw.parquet").groupby("source")["patient_id"].agg(set)
    assert patients["feedback"] < patients["files"]
    assert all(name.startswith("hospital-") for name in patients["files"])
