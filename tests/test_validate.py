"""The gate: good data pass and leave a reproducible site, each defect is stopped by the expectation named for it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from stages.lib.phi.hits import PATTERNS, compiled, count_hits
from stages.lib.records import write_records
from stages.lib.stage import In, Out, StageError
from stages.validate import LIMITS, Params, validate

LIMIT = {"min_words": 3, "max_words": 20, "min_cases_per_diagnosis": 3, "min_groups_per_diagnosis": 2}


def records() -> pd.DataFrame:
    """Return 8 good records of 2 diagnoses, each of another patient."""
    return pd.DataFrame(
        {
            "record_id": [f"r{number}" for number in range(8)],
            "patient_id": [f"p{number}" for number in range(8)],
            "groups": [[] for _ in range(8)],
            "text": [f"[PERSON_1] has finding number {number} since [DATE_TIME_12]" for number in range(8)],
            "diagnosis": ["Marfan syndrome", "Fabry disease"] * 4,
            "source": "files",
        }
    )


def check(folder: Path, table: pd.DataFrame, **limits: int) -> dict[str, dict[str, object]]:
    """Run `validate` on a table and return its summary."""
    params = Params.model_validate({"validate": LIMIT | limits})
    write_records(table, folder / "scrubbed.parquet")
    paths = In(folder / "scrubbed.parquet"), Out(folder / "data_docs"), Out(folder / "data_quality.json")
    validate(params, *paths)
    return dict(json.loads((folder / "data_quality.json").read_text()))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")


def test_good_records_pass_every_expectation(tmp_path: Path) -> None:
    summary = check(tmp_path, records())
    assert list(summary) == list(LIMITS)
    assert all(entry["success"] for entry in summary.values())
    assert summary["diagnoses"]["observed"] == 2
    assert summary["words"] == {"success": True, "unexpected": 0, "lowest": 7, "highest": 7}


def test_the_site_is_the_same_bytes_twice_and_holds_no_text(tmp_path: Path) -> None:
    sites = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        check(folder, records())
        files = sorted(path for path in (folder / "data_docs").rglob("*") if path.is_file())
        sites.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert sites[0] == sites[1]
    html = b"".join(content for path, content in sites[0].items() if path.suffix == ".html")
    assert b"phi_hits" in html
    for value in (b"finding number", b"PERSON_1", b"Fabry", str(tmp_path).encode()):
        assert value not in html


DEFECTS = {
    "record_id_present": {"record_id": None},
    "patient_id_present": {"patient_id": None},
    "text_present": {"text": " "},
    "diagnosis_present": {"diagnosis": None},
    "record_id_unique": {"record_id": "r1"},
    "words": {"text": "too short"},
    "diagnoses_of_text": {"text": "[PERSON_1] has finding number 1 since [DATE_TIME_12]"},
    "phi_hits": {"text": "the patient left a number, 555-123-4567"},
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_one_record_is_stopped_by_its_check(tmp_path: Path, name: str) -> None:
    table = records()
    for column, value in DEFECTS[name].items():
        table.loc[0, column] = value
    with pytest.raises(StageError, match=rf"(?m)^validate: {name}: .* records break this: ") as caught:
        check(tmp_path, table)
    assert "555-123" not in str(caught.value)
    assert "too short" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "limits", "diagnosis"),
    [
        ("diagnoses", {}, ["Fabry disease"] * 8),
        ("cases_of_diagnosis", {}, ["Fabry disease"] * 2 + ["Marfan syndrome"] * 6),
        ("groups_of_diagnosis", {"min_groups_per_diagnosis": 5}, ["Fabry disease", "Marfan syndrome"] * 4),
        ("words", {"max_words": 6}, ["Fabry disease", "Marfan syndrome"] * 4),
    ],
)
def test_a_table_beyond_a_limit_is_stopped_by_its_check(
    tmp_path: Path, name: str, limits: dict[str, int], diagnosis: list[str]
) -> None:
    with pytest.raises(StageError, match=f"validate: {name}: "):
        check(tmp_path, records().assign(diagnosis=diagnosis), **limits)


def test_records_of_one_group_count_once(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="validate: groups_of_diagnosis: "):
        check(tmp_path, records().assign(groups=[["PMID:1"]] * 8))


def test_gold_phi_in_scrubbed_records_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="validate: columns: "):
        check(tmp_path, records().assign(phi=[[] for _ in range(8)]))


def test_a_failure_names_ids_and_keeps_its_site(tmp_path: Path) -> None:
    with pytest.raises(StageError) as caught:
        check(tmp_path, records(), min_words=8)
    lines = str(caught.value).splitlines()
    assert "8 records break this: r0, r1, r2, r3, r4, …" in lines[0]
    kept = Path(lines[-1].removeprefix("validate: see "))
    assert kept.is_relative_to(tmp_path / "cache/differential/failed")
    assert "validate" in kept.read_text()
    assert json.loads((kept.parents[1] / "data_quality.json").read_text())["words"]["unexpected"] == 8


def test_min_words_above_max_words_is_refused() -> None:
    with pytest.raises(ValueError, match="min_words 21 is above max_words 20"):
        Params.model_validate({"validate": LIMIT | {"min_words": 21}})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("e-mail address", "write to jane.roe@example.org today"),
        ("web address", "see https://example.org/p?id=1"),
        ("IP address", "from 192.168.10.4 at night"),
        ("US social security number", "SSN 123-45-6789"),
        ("telephone number", "call (555) 123-4567 or"),
        ("telephone number", "call +441632960961 or"),
        ("full date", "seen 2021-03-04 and"),
        ("full date", "seen 3/4/2021 and"),
        ("date in words", "seen March 4th, 2021 and"),
        ("labelled number", "MRN: A-778812"),
    ],
)
def test_phi_is_hit(kind: str, text: str) -> None:
    assert count_hits(text, compiled()) >= 1
    assert count_hits(text, [pattern for name, pattern in zip(PATTERNS, compiled(), strict=True) if name == kind]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[PERSON_1] was seen on [DATE_TIME_12] by [PERSON_2] ([ID_3], [PHONE_NUMBER_10])",
        "BP 120/80, pulse 72, SpO2 98 %, T 37.2, strength 5/5, L4-L5, 1.5 mg/kg/day for 10-14 days",
        "HP:0001250 OMIM:123456 ORPHA:558 NM_000138.5:c.3037G>A rs123456 in 2021",
    ],
)
def test_placeholders_and_measurements_are_not_hit(text: str) -> None:
    assert count_hits(text, compiled()) == 0
