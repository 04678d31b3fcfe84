"""A TRIPOD-LLM checklist filled from the run: results and page in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.lib.params import read_document
from stages.lib.report.evidence import SPLITS
from stages.lib.report.markdown import tabulated
from stages.lib.report.page import Cell, Page, Span, Table, measure, percent
from stages.lib.report.results import Results

ITEMS = Path(__file__).with_name("checklist.yaml")
OWNER = "owner's"  # an answer that names the owner leaves something to write
ROOT = "../.."  # of the repository, from the report's folder
HEAD = """# TRIPOD-LLM checklist

Filled from this run. **Yours** marks what only the authors of a study can write, **in part** where they have to add to
what the pipeline knows; links say where it stands. Items are those of
[TRIPOD-LLM](https://doi.org/10.1038/s41591-024-03425-5) (Gallifant et al. 2025, Nature Medicine 31:60), with the
numbers of its table and in our own words, beside their counterparts in
[TRIPOD+AI](https://doi.org/10.1136/bmj-2023-078378) (Collins et al. 2024, BMJ 385:e078378). The guideline is a living
one: hand in its own form, which this page helps to fill."""


def checklist(results: Results, page: Page) -> str:
    """Return the checklist; links lead to sections of `page` that are there, and to files."""
    known, anchors = facts(results), {section.anchor: section.title for section in page.sections}
    parts = [HEAD]
    counts: dict[str, int] = {}
    for title, items in read_document(str(ITEMS)).items():
        rows = [_row(item, known, anchors, simulated=results.simulated()) for item in items]
        for row in rows:
            counts[row[3]] = counts.get(row[3], 0) + 1
        cells: list[list[Cell]] = [[*row[:3], (Span(row[3], "strong"),), row[4]] for row in rows]
        columns = ["TRIPOD-LLM", "TRIPOD+AI", "what is asked", "state", "answer and place"]
        parts.append(f"## {title}\n\n{tabulated(Table(columns, cells))}")
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    parts.insert(1, f"{sum(counts.values())} items: {told}.")
    return "\n\n".join(parts) + "\n"


def _row(
    item: Mapping[str, Any], known: Mapping[str, str], anchors: Mapping[str, str], *, simulated: bool
) -> tuple[str, str, str, str, tuple[Span, ...]]:
    head = (str(item.get("item", "")), str(item.get("ai", "")), str(item["asks"]))
    away = item.get("away") or (item.get("simulated_away") if simulated else None)
    if away:
        return (*head, "does not apply", (Span(f"{away[0].upper()}{away[1:].rstrip('.')}."),))
    answer = (item.get("simulated") if simulated else None) or item.get("answer")
    if not answer:
        return (*head, "yours", ())
    state = "in part" if OWNER in answer else "filled"
    return (*head, state, (Span(answer.format(**known)), *_links(item.get("where", []), anchors)))


def _links(places: list[str], anchors: Mapping[str, str]) -> Iterator[Span]:
    for place in places:
        if place in anchors:
            yield from (Span(" "), Span(anchors[place], "link", f"report.md#{place}"))
        elif "." in place:
            yield from (Span(" "), Span(place, "link", f"{ROOT}/{place}"))


def facts(results: Results) -> dict[str, str]:
    """Return what the run knows, as words, by the names that checklist.yaml uses."""
    provenance, splits, calibration = results.provenance, results.splits, results.calibration
    params, training = provenance["params"], results.training
    others = [name for model, name in results.models().items() if model != "tuned"]
    accuracy = measure(results.measured("tuned")["accuracy"], digits=1, scale=100)
    lora = params["train"].get("lora")
    return {
        "balanced": "yes" if params["train"].get("balanced") else "none",
        "baselines": ", ".join(others),
        "coverage": percent(calibration["conformal"]["coverage"], digits=0),
        "diagnoses": str(results.evaluation["diagnoses"]),
        "epochs": str(params["train"]["epochs"]),
        "excluded": f"{splits['excluded']:,}",
        "expectations": str(sum(isinstance(found, Mapping) for found in results.data_quality.values())),
        "fit": (f"LoRA of rank {lora['rank']} on " if lora else "All weights of ") + _layers(params["model"]),
        "headline": f"Accuracy {accuracy} % on {results.evaluation['test_cases']:,} cases.",
        "licences": "; ".join(results.croissant["license"]),
        "max_length": str(params["model"].get("max_length")),
        "method": calibration["method"],
        "model": base_name(provenance["base_model"]),
        "objective": params["train"]["objective"],
        "patients": f"{results.acquisition['patients']:,}",
        "policy": results.scrubbing["policy"],
        "records": f"{results.acquisition['records']:,}",
        "rejected": f"{results.acquisition['rejected']:,}",
        "risk": percent(calibration["abstention"]["target_risk"], digits=0),
        "seed": str(params["seed"]),
        "sources": ", ".join(f"{name} {count:,}" for name, count in results.acquisition["records_by_source"].items()),
        "splits": ", ".join(f"{name} {splits['records'][name]:,}" for name in SPLITS),
        "tokens": f"{training['tokens_per_epoch']:,}",
        "trained": f"{training['trained_parameters']:,}",
    }


def base_name(origin: Mapping[str, Any]) -> str:
    """Return how the pin of a base model calls it."""
    name = origin.get("hub") or origin.get("wheel") or origin.get("path") or "a model of unknown origin"
    member = origin.get("member", "").rpartition("/")[2]
    return f"{member} of {name}" if member else str(name)


def _layers(model: Mapping[str, Any]) -> str:
    return f"the first {model['layers']} layers" if model.get("layers") else "all layers"
