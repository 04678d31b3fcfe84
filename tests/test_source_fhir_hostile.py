"""FHIR bulk exports that are broken or hostile: a case or a rejection for every line, and nothing of its text."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.lib.stage import StageError
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.fhir import FhirParams, read
from stages.sources.fhir_export import LONGEST
from tests.toy_fhir import attachment, condition, document, observation, patient, read_export, write_export

CANARY = "Zebulon"
FEW = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def read_folder(incoming: Path, *, within: int | None = None) -> list[Case | Rejected]:
    params = FhirParams(folder="export", code_system="ORPHA", max_days_from_onset=within)
    return list(read(params, Inputs(incoming=incoming, fetched=incoming, ontology=incoming, seed=1)))


def nested(depth: int) -> dict[str, Any]:
    element: dict[str, Any] = {"reference": "Patient/p1"}
    for _ in range(depth):
        element = {"identifier": {"assigner": element}}
    return element


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (CANARY.encode(), "not JSON"),
        (b'{"resourceType": "Patient", "id": "' + CANARY.encode(), "not JSON"),
        (b"\xff\xfe" + CANARY.encode("utf-16-le"), "not JSON"),
        (b'{"resourceType": "Observation", "valueQuantity": {"value": NaN}}', "not JSON"),
        (b'{"resourceType": "Patient", "id": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (json.dumps([CANARY]).encode(), "not a FHIR resource"),
        ({"id": CANARY}, "not a FHIR resource"),
        ({"resourceType": [CANARY]}, "not a FHIR resource"),
        ({"resourceType": "Condition"}, "not valid FHIR: Condition.subject: missing"),
        (patient(CANARY, birthDate=CANARY), "not valid FHIR: Patient.birthDate: value_error"),
        (patient(9, **{CANARY: 1}), "not valid FHIR: Patient: extra_forbidden"),
        (patient(9, name=[{CANARY: 1}]), "not valid FHIR: Patient.name: extra_forbidden"),
        (patient(9, gender=CANARY), "sex is not female, male, other or unknown"),
        (patient(9, managingOrganization=nested(97)), "nested too deeply"),
        (b'{"resourceType": "Patient", "link": ' + b'[' * 300, "not JSON"),
        (b'{"resourceType": "Condition", "subject": {}, "onsetAge": {"value": 1e999, "code": "a"}}',
         "not valid FHIR: Condition.onsetAge.value: value_error"),
        (patient(id=None), "Patient without an id"),
        (patient(), "Patient with the id of an earlier one"),
        (document(id=None), "DocumentReference without an id"),
        (document(), "DocumentReference with the id of an earlier one"),
        (document(9, status="superseded"), "document is superseded or entered in error"),
        (document(9, docStatus="entered-in-error"), "document is superseded or entered in error"),
        (document(9, content=[]), "no inline text"),
        (document(9, {"url": f"https://host/{CANARY}", "contentType": "text/plain"}), "no inline text"),
        (document(9, attachment(CANARY, "application/pdf")), "attachment is neither plain text nor HTML"),
        (document(9, attachment(CANARY, "text/plain;charset=" + CANARY)), "unknown charset"),
        (document(9, attachment(CANARY, "text/plain;charset=punycode")), "unknown charset"),
        (document(9, attachment(CANARY, "text/plain;charset=iso-8859-99")), "unknown charset"),
        (document(9, attachment(b"\xe4" + CANARY.encode())), "attachment is not in its charset"),
        (document(9, attachment(f"&#{'9' * 5000};", "text/html")), "attachment is not HTML"),
        (document(9, attachment(" \n")), "no text"),
        (document(9, {"contentType": "text/plain", "data": "abc"}),
         "not valid FHIR: DocumentReference.content.attachment.data: base64_decode"),
        (observation(valueString=CANARY), "Observation of a phenotype that is neither present nor absent"),
        (observation(CANARY), "Observation of a phenotype whose code is no HPO id"),
    ],
)  # fmt: skip
def test_a_bad_line_is_rejected_by_its_number_and_never_repeated(tmp_path: Path, line: Any, reason: str) -> None:
    items = read_export(tmp_path, patient(), condition(), document(), line)
    rejected = [item for item in items if isinstance(item, Rejected)]
    assert rejected == [Rejected("export/all.ndjson", "4", reason)]
    assert sum(isinstance(item, dict) for item in items) == 1


def test_what_makes_no_case_is_passed_over(tmp_path: Path) -> None:
    laboratory = {"resourceType": "Observation", "code": {"coding": [{"system": "http://loinc.org", "code": "1"}]}}
    others = [{"resourceType": "Encounter"}, laboratory, b"", b"  \r", patient(2, contained=[{"resourceType": "X"}])]
    (case,) = read_export(tmp_path, b"\xef\xbb\xbf" + json.dumps(patient()).encode(), *others, condition(), document())
    assert isinstance(case, dict)
    assert case["row"] == "8"


@FEW
@given(lines=st.lists(st.binary(max_size=60), max_size=4))
def test_any_bytes_give_a_case_or_a_rejection(tmp_path: Path, lines: list[bytes]) -> None:
    items = read_export(tmp_path, patient(), condition(), document(), *lines)
    assert sum(isinstance(item, dict) for item in items) == 1


@FEW
@given(data=st.data(), value=JSON)
def test_any_value_of_any_element_gives_a_case_or_a_rejection(tmp_path: Path, data: st.DataObject, value: Any) -> None:
    resources = [patient(), condition(), observation(), document(1), document(2)]
    changed = data.draw(st.sampled_from(resources))
    name = data.draw(st.sampled_from([*list(changed)[1:], "link", "onsetAge", "contained", "extension", "language"]))
    inside = isinstance(changed.get(name), dict) and data.draw(st.booleans())
    changed[name] = dict.fromkeys(changed[name], value) if inside else value
    items = read_folder(
        write_export(tmp_path, {"export/all.ndjson": resources}), within=data.draw(st.just(9) | st.none())
    )
    rows = [item.row if isinstance(item, Rejected) else item["row"] for item in items]
    assert sorted(row for row in rows if row in {"4", "5"}) == ["4", "5"]


def test_a_huge_line_is_rejected_without_being_read_whole(tmp_path: Path) -> None:
    lines = [patient(), condition(), document()]
    write_export(tmp_path, {"export/all.ndjson.gz": [b" " * 2**27, *lines, b"[" + b"1," * 2**24]})
    tracemalloc.start()
    first, last, case = read_folder(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 4 * LONGEST
    tracemalloc.stop()
    assert [(item.row, item.reason) for item in (first, last) if isinstance(item, Rejected)] == [
        ("1", "line is longer than 16,777,216 bytes"),
        ("5", "line is longer than 16,777,216 bytes"),
    ]
    assert isinstance(case, dict)


@pytest.mark.parametrize("unclosed", ["<a ", "<a b='", '<a b="', "<!--", "<![CDATA[", "</a", "<", "&#1", "<script>"])
def test_unclosed_tags_do_not_take_forever(tmp_path: Path, unclosed: str) -> None:
    page = document(1, attachment(unclosed * 200_000, "text/html"))
    started = time.monotonic()
    read_export(tmp_path, patient(), condition(), page)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("cut", [5, 40, -9])
def test_a_truncated_gzip_file_stops_the_run(tmp_path: Path, cut: int) -> None:
    write_export(tmp_path, {"export/a.ndjson": [document()]})
    (tmp_path / "export" / "b.ndjson.gz").write_bytes(gzip.compress(json.dumps(patient()).encode())[:cut])
    with pytest.raises(StageError, match=r"b\.ndjson\.gz: is not gzip, or is damaged or truncated in line 1"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"export/readme.txt": []}, r"is no folder that holds \.ndjson or \.ndjson\.gz files"),
        ({"export/Patient.ndjson": [patient()]}, "holds no readable DocumentReference"),
        ({"elsewhere/x.ndjson": []}, "'export' is not in"),
        ({"export": [document()]}, "is no folder"),
    ],
)
def test_a_folder_without_documents_is_an_error(tmp_path: Path, files: dict[str, list[Any]], said: str) -> None:
    write_export(tmp_path, files)
    with pytest.raises(StageError, match=said):
        read_folder(tmp_path)


@pytest.mark.parametrize("link", ["export", "export/x.ndjson"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, link: str) -> None:
    outside = write_export(tmp_path, {"outside/x.ndjson": [document()]}) / "outside"
    incoming = tmp_path / "incoming"
    (incoming / link).parent.mkdir(parents=True)
    (incoming / link).symlink_to(outside if link == "export" else outside / "x.ndjson")
    with pytest.raises(StageError, match="link that leads out"):
        read_folder(incoming)
