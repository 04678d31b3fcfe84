"""The describe stage: a valid Croissant file and a datasheet that tell of the data and never tell the data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import mlcroissant
import pandas as pd
import pytest
import yaml
from conftest import ROOT, merge
from toy_pipeline import run_stage

from stages.acquire import SOURCES
from stages.describe import Params, filled, origins
from stages.lib.croissant import COLUMNS
from stages.lib.params import read_document, read_params
from stages.lib.provenance import COLLECTION, REFERENCES, ontology_release
from stages.lib.records import read_records, schema, write_records

PLANTED = "Zzyzx"  # part of every value that a record has
SPLITS = ("train", "validation", "calibration", "test")
LEAK = {"gold_documents": 8, "leak": 0.00148, "leak_low": 0.00097, "leak_high": 0.00199}
HPO_ONLY: dict[str, Any] = {"sources": ["hpo"]}
SEVERAL: dict[str, Any] = {
    "sources": ["files", "hpo", "phenopackets"],
    "files": [{"file": "ward/cases.csv", "columns": {"text": "note", "diagnosis": "dx"}}],
    "phenopackets": {"file": "store.zip"},
}


def lay_out(folder: Path, acquire: dict[str, Any], *, data: dict[str, Any] | None = None, leak: Any = LEAK) -> Path:
    """Write a workspace in which everything but `describe` has run: two records of each source in each split."""
    for name in ("dvc.yaml", "stages"):
        (folder / name).symlink_to(ROOT / name)
    changes = {"acquire": acquire, "fetch": {"data": data or {}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(merge(read_document(str(ROOT / "params.yaml")), changes)))
    for name in ("data/incoming/ward", "data/ontology", "metrics"):
        (folder / name).mkdir(parents=True)
    (folder / "data/incoming/ward/cases.csv").write_text(f"note,dx\n{PLANTED},Flu\n")
    (folder / "data/ontology/hp.obo").write_text("format-version: 1.2\ndata-version: hp/releases/2025-01-16\n")
    (folder / "data/ontology/phenotype.hpoa").write_text("#description: toy\n#version: 2025-01-16\n")
    for split in SPLITS:
        rows = [record(f"{source}-{split}-{n}", source) for source in acquire["sources"] for n in range(2)]
        write_records(pd.DataFrame(rows), folder / f"data/{split}.parquet")
    rejected = [(acquire["sources"][0], "cases.csv", "7", "no text")]
    table = pd.DataFrame(rejected, columns=["source", "file", "row", "reason"])
    table.to_parquet(folder / "data/rejected.parquet", index=False)
    sizes = dict.fromkeys(SPLITS, 2 * len(acquire["sources"]))
    metrics = {
        "acquisition": {"rejected": 1, "rejected_by_reason": {"no text": 1}},
        "scrubbing": {"documents": 8, "documents_changed": 7, "spans": {"PERSON": 9}} | leak,
        "splits": {"records": sizes, "independent_groups": sizes},
    }
    for name, content in metrics.items():
        (folder / f"metrics/{name}.json").write_text(json.dumps(content))
    return folder


def record(identifier: str, source: str) -> dict[str, Any]:
    return {
        "record_id": f"{identifier}-{PLANTED}",
        "patient_id": f"{source}-{PLANTED}",
        "groups": [f"PMID:{PLANTED}"],
        "text": f"Seen with {PLANTED}.",
        "diagnosis": f"{PLANTED} {identifier[-1]}",
        "age": 8.0,
        "phenotypes": [f"HP:{PLANTED}", "HP:1"],
        "source": source,
    }


def describe(folder: Path, **changes: str) -> tuple[str, dict[str, Any]]:
    """Run the stage in the real runner and return the datasheet and the Croissant description."""
    done = run_stage(folder, "describe", **changes)
    assert done.returncode == 0, done.stderr
    assert PLANTED not in done.stderr
    return (folder / "data/datasheet.md").read_text(), json.loads((folder / "data/croissant.json").read_text())


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = lay_out(tmp_path_factory.mktemp("several"), SEVERAL)
    (folder / "data/incoming/store.zip").write_bytes(b"an archive")
    describe(folder)
    return folder


def test_the_validator_finds_no_error_and_misses_only_the_day_of_publication(several: Path) -> None:
    issues = mlcroissant.Dataset(several / "data/croissant.json").metadata.ctx.issues
    assert issues.errors == set()
    assert [warning for warning in sorted(issues.warnings) if "datePublished" not in warning] == []


@pytest.mark.parametrize("split", SPLITS)
def test_mlcroissant_reads_every_record_and_column_of_a_split(several: Path, split: str) -> None:
    found = list(mlcroissant.Dataset(several / "data/croissant.json").records(split))
    records = read_records(several / f"data/{split}.parquet")
    assert [sorted(row) for row in found] == [sorted(f"{split}/{name}" for name in records)] * len(records)
    for row, (_, expected) in zip(found, records.iterrows(), strict=True):
        assert row[f"{split}/record_id"].decode() == expected["record_id"]
        assert row[f"{split}/text"].decode() == expected["text"]
        assert row[f"{split}/age"] == expected["age"]
        assert [term.decode() for term in row[f"{split}/phenotypes"]] == list(expected["phenotypes"])


def test_files_are_named_with_their_hash_and_size(several: Path) -> None:
    for item in json.loads((several / "data/croissant.json").read_text())["distribution"]:
        content = (several / "data" / item["contentUrl"]).read_bytes()
        assert item["sha256"] == hashlib.sha256(content).hexdigest()
        assert item["contentSize"] == f"{len(content)} B"
        assert item["encodingFormat"] == "application/x-parquet"


def test_no_value_of_a_record_stands_in_either_file(several: Path) -> None:
    for name in ("datasheet.md", "croissant.json"):
        assert PLANTED not in (several / "data" / name).read_text()


def test_the_same_inputs_give_the_same_bytes(several: Path) -> None:
    files = [several / "data/datasheet.md", several / "data/croissant.json"]
    before = [path.read_bytes() for path in files]
    describe(several, PYTHONHASHSEED="1", TZ="Asia/Tokyo", LC_ALL="C")
    assert [path.read_bytes() for path in files] == before


def test_every_source_is_told_with_counts_and_origin(several: Path) -> None:
    page = (several / "data/datasheet.md").read_text()
    incoming = several / "data/incoming"
    for source, rejected in (("files", 1), ("hpo", 0), ("phenopackets", 0)):
        assert f"| {source} | 2 | 2 | 2 | 2 | 1 | 2 | {rejected} |" in page
    assert "hp.obo 2025-01-16, phenotype.hpoa 2025-01-16" in page
    for file in ("ward/cases.csv", "store.zip"):
        assert f"| {file} | unversioned |" in page
        assert hashlib.sha256((incoming / file).read_bytes()).hexdigest() in page


def test_an_unknown_licence_is_said_to_be_unknown(several: Path) -> None:
    unknown = "unknown licence of ward/cases.csv (files)"
    assert unknown in (several / "data/datasheet.md").read_text()
    assert unknown in json.loads((several / "data/croissant.json").read_text())["license"]


def test_only_owners_of_real_data_are_asked_what_only_they_know(tmp_path: Path, several: Path) -> None:
    page, described = describe(lay_out(tmp_path, HPO_ONLY))
    assert "written by the owner" not in page
    assert described["creator"]["name"] == "The Differential authors"
    assert "written by the owner" in (several / "data/datasheet.md").read_text()
    assert "creator" not in json.loads((several / "data/croissant.json").read_text())


def test_phi_left_is_told_where_it_was_measured_and_only_there(tmp_path: Path, several: Path) -> None:
    measured = "0.148 % of the PHI's characters are left (95 % interval 0.097 to 0.199 %)"
    assert measured in (several / "data/datasheet.md").read_text()
    page, _ = describe(lay_out(tmp_path, HPO_ONLY, leak={}))
    assert "was not measured" in page


def test_another_byte_of_data_is_another_version(tmp_path: Path) -> None:
    workspace = lay_out(tmp_path, HPO_ONLY)
    _, before = describe(workspace)
    write_records(pd.DataFrame([record("hpo-new", "hpo")]), workspace / "data/test.parquet")
    _, after = describe(workspace)
    assert before["version"] != after["version"]


@pytest.mark.parametrize(
    ("pin", "expected"),
    [  # name, version, licence, checksum
        (
            {"url": "https://example.org/v1/store.zip?token=secret", "sha256": "0" * 64},
            ("https://example.org/v1/store.zip", "as released", "MIT", f"sha256 {'0' * 64}"),
        ),
        (
            {"hub": "org/cases", "revision": "1" * 40, "config": "en", "split": "train"},
            ("org/cases", "config en, split train", "MIT", f"commit {'1' * 40}"),
        ),
    ],
    ids=["url", "hub"],
)
def test_a_pinned_data_set_is_told_without_tokens(pin: dict[str, Any], expected: Any, tmp_path: Path) -> None:
    file = "store.zip" if "url" in pin else "store.parquet"
    acquire = {"sources": ["phenopackets"], "phenopackets": {"file": file}}
    workspace = lay_out(tmp_path, acquire, data={"store": pin | {"licence": "MIT"}})
    keys = ["acquire", "fetch.data", "fetch.ner", "fetch.ontology"]
    params = read_params(Params, keys, str(workspace / "params.yaml"))
    found = origins("phenopackets", params, workspace / "data/incoming", workspace / "data/ontology")
    assert list(found) == [expected]


def test_an_ontology_without_a_release_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "hp.obo").write_text("format-version: 1.2\n")
    (tmp_path / "phenotype.hpoa").write_text("#version: 2025-01-16\n")
    assert ontology_release(tmp_path) == "hp.obo without one, phenotype.hpoa 2025-01-16"


def test_filled_counts_values_and_lists_with_something_in_them(tmp_path: Path) -> None:
    rows = [record("a", "hpo"), record("b", "hpo") | {"age": None, "groups": []}]
    write_records(pd.DataFrame(rows), tmp_path / "a.parquet")
    counts = filled([tmp_path / "a.parquet"])
    assert {name: counts[name] for name in ("text", "age", "groups", "sex", "excluded_phenotypes")} == {
        "text": 2,
        "age": 1,
        "groups": 1,
        "sex": 0,
        "excluded_phenotypes": 0,
    }


def test_every_column_and_every_source_has_a_meaning() -> None:
    assert sorted(COLUMNS) == sorted(set(schema().names) - {"phi"})
    assert set(SOURCES) <= set(COLLECTION)
    assert set(REFERENCES) <= set(COLLECTION)


def test_the_readme_gives_each_source_with_licence_and_citation() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for reference in (item for references in REFERENCES.values() for item in references):
        row = next(line for line in lines if line.startswith("|") and f"[{reference.title}]({reference.home})" in line)
        assert reference.licence.split(", ")[0] in row
        assert reference.citation.split(", https")[0] in row
    for source in COLLECTION:
        assert any(line.startswith("|") and f"`{source}`" in line for line in lines), f"{source}: no row in the README"
