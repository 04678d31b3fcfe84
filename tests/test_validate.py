"""The gate: what it writes is the same twice and holds no value of a record; what fails is said by ids and kept."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT
from toy_records import BOUNDS, DIAGNOSES, check, good_records, run_validate, summary

from stages.lib.accepted import Accepted, read_accepted, write_accepted
from stages.lib.data_docs import read_suites
from stages.lib.records import schema, write_records
from stages.lib.stage import StageError
from stages.validate import Params
from tools.accept import accept, changes, measure

PLANTED = {
    "record_id": "zqzqrecord",
    "patient_id": "zqzqpatient",
    "groups": ["zqzqgroup"],
    "text": "[PERSON_1] has had zqzqfinding since the spring, and jane.zqzqroe@example.org knows of it",
    "diagnosis": "Zqzqitis",
    "diagnosis_code": "ZQ:77",
    "sex": "zqzqsex",
    "date": "zqzqdate",
    "source": "zqzqsource",
    "voice": "zqzqvoice",
    "phenotypes": ["zqzqterm"],
    "excluded_phenotypes": ["zqzqterm"],
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_site_and_summary_are_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr("stages.lib.observations.ROWS", 20)
    for name, workers in {"first": "1", "second": "2"}.items():
        monkeypatch.setenv("DIFFERENTIAL_WORKERS", workers)
        folder = tmp_path / name
        folder.mkdir()
        check(folder, good_records())
        made.append(contents(folder))
    assert made[0] == made[1]
    html = b"".join(content for path, content in made[0].items() if path.suffix == ".html")
    assert b"phi_hits" in html
    assert str(tmp_path).encode() not in html


def test_the_site_loads_nothing_and_leads_nowhere_outside(tmp_path: Path) -> None:
    with pytest.raises(StageError):
        check(tmp_path, good_records(), min_words=11)
    pages = sorted((tmp_path / "data_docs").rglob("*"))
    assert {path.suffix for path in pages if path.is_file()} == {".html"}
    for path in filter(Path.is_file, pages):
        html = path.read_text()
        assert re.findall(r"<(?:script|link|img|iframe)\b|@import|url\(|\bon\w+=", html) == []
        for target in re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]*)""", html):
            assert target.startswith("#") or (path.parent / target).is_file(), (path, target)
        assert "default-src 'none'" in html
    index = (tmp_path / "data_docs/index.html").read_text()
    assert index.count("> met<") == len(read_suites()["schema"] | read_suites()["records"]) - 1
    assert "<code>words</code></td><td>a text must have 11 (validate.min_words)" in index
    assert "60 of 60" in index


def test_the_summary_says_what_was_counted_or_observed(tmp_path: Path) -> None:
    found = check(tmp_path, good_records())
    assert found["diagnoses"] == {"severity": "critical", "success": True, "observed": 3}
    assert found["words"] == {"severity": "critical", "success": True, "unexpected": 0, "lowest": 10, "highest": 10}


def test_no_value_of_a_record_is_written_or_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_records(good_records(), tmp_path / "scrubbed.parquet")
    write_accepted({"files+zqzqsource": measure(tmp_path / "scrubbed.parquet")}, tmp_path / "accepted.json")
    planted = pd.concat([good_records(), pd.DataFrame([PLANTED | {"age": 123.25}])], ignore_index=True)
    with pytest.raises(StageError) as caught:
        check(tmp_path, planted)
    failed = [name for name, entry in summary(tmp_path).items() if isinstance(entry, dict) and not entry["success"]]
    assert {"phi_hits", "sexes", "dates", "ages", "phenotypes", "contradictions", "new_diagnoses"} <= set(failed)
    written = b"".join(contents(tmp_path / "data_docs").values()) + (tmp_path / "data_quality.json").read_bytes()
    written += b"".join(contents(tmp_path / "cache").values())
    said = "".join([str(caught.value), caplog.text, *capfd.readouterr()])
    for value in ("zqzq", "123.25", *DIAGNOSES):
        assert value.lower().encode() not in written.lower()
        assert value.lower() not in said.lower().replace("zqzqrecord", "")  # ids are pseudonyms, and may be said


def test_a_failure_names_ids_and_keeps_its_site(tmp_path: Path) -> None:
    with pytest.raises(StageError) as caught:
        check(tmp_path, good_records(), min_words=11)
    lines = str(caught.value).splitlines()
    assert "11 (validate.min_words) to 40 (validate.max_words) words" in lines[0]
    assert "60 records break this: r0, r1, r10, r11, r12, …" in lines[0]
    kept = Path(lines[-1].removeprefix("validate: see "))
    assert kept.is_relative_to(tmp_path / "cache/differential/failed")
    assert "validate" in kept.read_text()
    assert json.loads((kept.parents[1] / "data_quality.json").read_text())["words"]["unexpected"] == 60


def test_all_failures_are_said_at_once(tmp_path: Path) -> None:
    table = good_records().assign(sex="F", date="2020-01-02")
    with pytest.raises(StageError, match=r"(?s)^validate: sexes: .*\nvalidate: dates: .*\nvalidate: see "):
        check(tmp_path, table)


def test_records_without_accepted_data_pass_and_the_stage_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="stages")
    found = check(tmp_path, good_records())
    assert found["accepted_records"] == 0
    assert not found.keys() & read_suites()["accepted"].keys()
    assert "nothing is accepted for these sources" in caplog.text


def test_only_data_of_the_same_sources_are_compared(tmp_path: Path) -> None:
    write_accepted({"hpo": Accepted(diagnoses={"Gout": 9}, lengths=[9])}, tmp_path / "accepted.json")
    assert check(tmp_path, good_records())["accepted_records"] == 0
    with pytest.raises(StageError, match="new_diagnoses"):
        check(tmp_path, good_records().assign(source="hpo"))
    assert check(tmp_path, good_records().assign(source=["files", "hpo"] * 30))["accepted_records"] == 0


def test_fewer_patients_of_the_same_diagnoses_are_no_drift_and_another_cohort_is(tmp_path: Path) -> None:
    write_records(good_records(), tmp_path / "scrubbed.parquet")
    write_accepted({"files": measure(tmp_path / "scrubbed.parquet")}, tmp_path / "accepted.json")
    found = check(tmp_path, good_records(15))
    assert found["accepted_records"] == 60
    assert found["label_drift"]["observed"] == 0
    other = good_records().replace({"diagnosis": {"Marfan syndrome": "Gout"}})
    with pytest.raises(
        StageError, match=r"(?s)new_diagnoses: .*\nvalidate: if the data may differ .*tools.accept.*max_label_drift"
    ):
        check(tmp_path, other)
    assert check(tmp_path, other, max_label_drift=1)["accepted_records"] == 0


def test_min_words_above_max_words_is_refused() -> None:
    with pytest.raises(ValueError, match="min_words 41 is above max_words 40"):
        Params.model_validate({"scrub": {"policy": "redact"}, "validate": BOUNDS | {"min_words": 41}})


def test_every_bound_of_the_suite_is_a_parameter_and_every_parameter_bounds() -> None:
    configs = [config for suite in read_suites().values() for config in suite.values()]
    used = {value["$PARAMETER"] for config in configs for value in config["kwargs"].values() if isinstance(value, dict)}
    assert used == BOUNDS.keys() | Accepted().parameters().keys() | {"columns"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"hpo": {"diagnoses": {"Gout": 0}}}',
        '{"hpo": {"lengths": [-1]}}',
        '{"hpo": {"loans": {"seed 1": 2}}}',
        '{"cases": 3}',
    ],
    ids=repr,
)
def test_a_broken_file_of_accepted_data_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "accepted.json").write_text(text)
    with pytest.raises(StageError, match=r"accepted.json: holds no accepted statistics; write \{\} into it"):
        read_accepted(tmp_path / "accepted.json")


def test_accept_writes_what_validate_then_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_records(good_records(), data / "scrubbed.parquet")
    write_accepted({"hpo": Accepted(diagnoses={"Gout": 9}, lengths=[9])}, data / "accepted.json")
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert accept() == ["data/accepted.json: 60 records of 3 diagnoses are accepted for files; commit it"]
    assert list(read_accepted(data / "accepted.json")) == ["files", "hpo"]
    found = run_validate(data)
    assert found["accepted_records"] == 60
    assert found["label_drift"]["observed"] == found["length_drift"]["observed"] == 0
    assert '      "Fabry disease": 20,\n' in (data / "accepted.json").read_text()


def test_accept_remembers_what_each_scheme_lends_by_a_hash_and_refuses_data_that_cannot_be_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "accepted.json").write_text("{}")
    (tmp_path / "dvc.yaml").symlink_to(ROOT / "dvc.yaml")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["split"]["fractions"] = {"train": 0.97, "validation": 0.01, "calibration": 0.01, "test": 0.01}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    records = good_records()
    write_records(records, data / "scrubbed.parquet")
    accept()
    first = (data / "accepted.json").read_bytes()
    (loans,) = read_accepted(data / "accepted.json")["files"].loans.values()
    assert set(loans.values()) == {"test"}
    assert not {*records["patient_id"]} & loans.keys()
    accept()
    assert (data / "accepted.json").read_bytes() == first
    folded = params | {"split": params["split"] | {"fold": 1}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(folded))
    accept()
    both = read_accepted(data / "accepted.json")["files"].loans
    assert len(both) == 2
    assert [both[scheme] for scheme in both if "test" in scheme] == [loans]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    accept()
    first = (data / "accepted.json").read_bytes()
    write_records(records.assign(patient_id="p"), data / "scrubbed.parquet")
    with pytest.raises(StageError, match=r"^split: test, rest need 4 independent groups of each diagnosis"):
        accept()
    assert (data / "accepted.json").read_bytes() == first


def test_accept_says_what_changes() -> None:
    before = Accepted(diagnoses={"Gout": 5, "Lupus": 5}, lengths=[0, 10])
    now = Accepted(diagnoses={"Fabry disease": 5, "Gout": 5}, lengths=[10, 0])
    said = [
        "new: Fabry disease",
        "lost: Lupus",
        "divergence of diagnoses 0.5, of text lengths 1.0 (0 is none, 1 is all)",
    ]
    assert changes(before, now) == said


@pytest.mark.parametrize(
    ("name", "change"),
    {
        "a column is missing": lambda table: table.drop_columns("voice"),
        "columns in another order": lambda table: table.select(table.column_names[::-1]),
        "an age as a text": lambda table: table.set_column(6, "age", table["age"].cast(pa.string())),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_defect_of_the_schema_is_stopped(tmp_path: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
    write_records(good_records(), tmp_path / "scrubbed.parquet")
    pq.write_table(change(pq.read_table(tmp_path / "scrubbed.parquet")), tmp_path / "scrubbed.parquet")
    with pytest.raises(StageError, match=r"^validate: columns: "):
        run_validate(tmp_path)


def test_a_file_without_records_is_stopped(tmp_path: Path) -> None:
    pq.write_table(schema(phi=False).empty_table(), tmp_path / "scrubbed.parquet")
    with pytest.raises(StageError, match=r"scrubbed.parquet: holds no record"):
        run_validate(tmp_path)
