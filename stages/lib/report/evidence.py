"""What the results rest on: the evidence on data and model of a run in, sections of the page out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stages.lib.privacy import outcome, recall_by_class
from stages.lib.report.page import Cell, Section, Span, Table, number, paragraph, section, table
from stages.lib.report.results import Results

SPLITS = ("train", "validation", "calibration", "test")
SHARED = {
    "shared_patients": "patients in two splits",
    "shared_groups": "groups in two splits",
    "shared_near_duplicates": "near-duplicates in two splits",
    "excluded": "records left out of all splits",
}


def evidence(results: Results) -> list[Section]:
    """Return the sections on what was done to the data, and on what the model was made of."""
    return [privacy(results.scrubbing), validation(results), data(results), lineage(results), environment(results)]


def privacy(scrubbing: Mapping[str, Any]) -> Section:
    """Return what a privacy officer asks: what was replaced, what was left, how it is known."""
    note = "No source brings gold spans, so what is left is not measured; canaries show that every class is looked for."
    if "recall" in scrubbing:
        note = "Brackets hold 95 % intervals. A replaced span counts for the entity that it was taken for."
    return section(
        "De-identification",
        table(*outcome(scrubbing)),
        paragraph(note),
        table(*recall_by_class(scrubbing), title="By Safe Harbor class", brief=False),
    )


def validation(results: Results) -> Section:
    """Return a row per expectation: how severe it is, whether it is met, and the worst that was seen."""
    found = {name: value for name, value in results.data_quality.items() if isinstance(value, Mapping)}
    failed = sum(not value["success"] for value in found.values())
    rows: list[list[Cell]] = [
        [name.replace("_", " "), value["severity"], _met(value), _count(value), _range(value)]
        for name, value in found.items()
    ]
    columns = ["expectation", "severity", "met", "records at fault", "lowest to highest"]
    return section(
        "Validation of the data",
        paragraph(
            f"{len(found)} expectations, {failed} of them not met. A critical one that is not met stops the run. The "
            "site data/data_docs tells what each asks."
        ),
        Table(columns, rows, title="Expectations", brief=failed > 0),
    )


def _met(value: Mapping[str, Any]) -> Cell:
    return "yes" if value["success"] else (Span("no", "strong"),)


def _count(value: Mapping[str, Any]) -> str:
    return number(value.get("unexpected"), digits=0)


def _range(value: Mapping[str, Any]) -> str:
    if "observed" in value:
        return f"{value['observed']:,}"
    ends = [value.get("lowest"), value.get("highest")]
    return "" if None in ends else " to ".join(f"{end:,}" for end in dict.fromkeys(ends))


def data(results: Results) -> Section:
    """Return how many records there are, where they come from, and that no split leaks into another."""
    splits, acquired, described = results.splits, results.acquisition, results.croissant
    counts: list[list[Cell]] = [
        [
            name,
            f"{splits['records'][name]:,}",
            f"{splits['independent_groups'][name]:,}",
            f"{splits['fewest_cases_per_diagnosis'][name]:,}",
        ]
        for name in SPLITS
    ]
    kept: list[list[Cell]] = [[name, f"{splits[key]:,}"] for key, name in SHARED.items()]
    sources: list[list[Cell]] = [[name, f"{count:,}"] for name, count in acquired["records_by_source"].items()]
    licences: list[list[Cell]] = [[str(licence)] for licence in described["license"]]
    return section(
        "Data",
        paragraph("**All patients are simulated; no person stands behind a record.**") if results.simulated() else None,
        paragraph(
            f"{acquired['records']:,} records of {acquired['patients']:,} patients, {acquired['diagnoses']} diagnoses; "
            f"{acquired['rejected']:,} rows were rejected. The datasheet is data/datasheet.md."
        ),
        Table(["split", "records", "independent groups", "fewest of a diagnosis"], counts),
        Table(["leakage between splits", "count"], kept),
        Table(["source", "records"], sources),
        Table(["licence of the data"], licences),
    )


def lineage(results: Results) -> Section:
    """Return the hashes of what went in, as DVC has them, and the parameters of the fit."""
    provenance, described = results.provenance, results.croissant
    base: list[list[Cell]] = [[key, (Span(str(value), "code"),)] for key, value in provenance["base_model"].items()]
    hashes: list[list[Cell]] = [
        [f"{file['name']}, sha256", (Span(file["sha256"], "code"),)] for file in described["distribution"]
    ]
    own = {name: entry["md5"] for name, entry in provenance["inputs"].items()}
    hashes += [[f"{name}, in training, md5", (Span(value, "code"),)] for name, value in own.items()]
    hashes += [[f"{name}, in this report, md5", (Span(value, "code"),)] for name, value in results.hashes.items()]
    parameters: list[list[Cell]] = [[key, (Span(value, "code"),)] for key, value in flat(provenance["params"])]
    return section(
        "Lineage",
        paragraph(
            f"Data set {described['name']}, version {described['version']}. The md5 are those of dvc.lock, by which "
            "`dvc` or git finds each file again."
        ),
        Table(["base model", "pin"], base) if base else None,
        Table(["file", "hash"], hashes, title="Hashes", brief=False),
        Table(["parameter", "value"], parameters, title="Parameters of training", brief=False),
    )


def environment(results: Results) -> Section:
    """Return the versions that the adapter was made with, and what they computed in."""
    rows: list[list[Cell]] = [[name, version] for name, version in results.provenance["versions"].items()]
    compute = results.provenance["params"].get("compute", {})
    told = ", ".join(f"{name} {value}" for name, value in compute.items())
    cut = results.training.get("notes_cut", 0)
    return section(
        "Environment",
        Table(["library", "version"], rows),
        paragraph(
            f"Trained with {told or 'the defaults'}: {results.training['trained_parameters']:,} weights, "
            f"{results.training['tokens_per_epoch']:,} tokens an epoch. "
            f"{cut:,} training notes were longer than it reads."
        ),
    )


def flat(node: Mapping[str, Any], parents: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested values by dotted keys."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{parents}{key}.")
        else:
            yield f"{parents}{key}", str(value)
