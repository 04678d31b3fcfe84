"""What the model says of single cases, and where it errs: results in; examples, mistakes and confused pairs out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stages.lib.report.page import (
    NONE,
    Case,
    Cell,
    Plot,
    Section,
    Span,
    Table,
    Token,
    number,
    paragraph,
    percent,
    section,
)
from stages.lib.report.results import SIMULATED, Results

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10


def cases(results: Results) -> list[Section]:
    """Return the sections on examples and errors; the first is left out where nothing may be shown."""
    shown = examples(results)
    return [*([shown] if shown.blocks else []), errors(results)]


def examples(results: Results) -> Section:
    """Return the explained cases that are simulated, by the sources of the test split; no other text is shown."""
    source = results.predictions.set_index("record_id")["source"]
    shown = [found for found in results.explanations if source.get(found["record_id"]) == SIMULATED]
    if not shown:
        return section("Examples")
    return section(
        "Examples",
        paragraph(
            "Simulated patients of the test split, with the model's first diagnoses before calibration. A marked word "
            "spoke for the first diagnosis, or against it: the stronger the mark, the more its probability falls, or "
            "rises, when the word is taken out."
        ),
        *map(_case, shown),
    )


def _case(found: Mapping[str, Any]) -> Case:
    tokens = [(str(token["text"]), float(token["attribution"])) for token in found["tokens"]]
    most = max((abs(value) for _, value in tokens), default=0) or 1
    return Case(
        record_id=found["record_id"],
        gold=found["gold"],
        differential=[(item["diagnosis"], item["probability"]) for item in found["differential"]],
        tokens=[Token(text, round(value / most, 2)) for text, value in tokens],
    )


def errors(results: Results) -> Section:
    """Return which diagnoses are taken for which, and the mistakes of highest confidence by id, without text."""
    table = results.predictions
    wrong = table[table["tuned"] != table["gold"]]
    groups = results.families()
    within = [
        groups.get(gold, "") == groups.get(tuned) for gold, tuned in zip(wrong["gold"], wrong["tuned"], strict=True)
    ]
    known = (
        f" {percent(sum(within) / len(within), digits=0)} of these stay within a group of easily confused diseases."
        if groups and within
        else ""
    )
    return section(
        "Errors",
        paragraph(f"The tuned model is wrong in {len(wrong):,} of {len(table):,} test cases.{known}"),
        Plot(
            "confusion",
            "Confusion",
            "For each gold diagnosis, the share of its cases by predicted diagnosis; a stronger colour is more.",
            "Shares of each gold diagnosis; right answers stand on the diagonal"
            + (", and diseases that are easily confused together." if groups else "."),
        ),
        _pairs(table, wrong, groups),
        _mistakes(wrong),
    )


def _pairs(table: pd.DataFrame, wrong: pd.DataFrame, groups: Mapping[str, str]) -> Table | None:
    if wrong.empty:
        return None
    sizes = table["gold"].value_counts()
    counts = wrong.groupby(["gold", "tuned"]).size().rename("cases").reset_index()
    counts = counts.sort_values(["cases", "gold", "tuned"], ascending=[False, True, True]).head(SHOWN)
    rows: list[list[Cell]] = []
    for gold, tuned, count in counts.itertuples(index=False):
        shared = groups.get(gold, NONE) if groups.get(gold) == groups.get(tuned) else NONE
        rows.append([gold, tuned, *([shared] if groups else []), f"{count:,}", percent(count / sizes[gold], digits=0)])
    columns = ["gold", "taken for", *(["both are"] if groups else []), "cases", "of the gold's"]
    return Table(columns, rows, title="Diagnoses confused most")


def _mistakes(wrong: pd.DataFrame) -> Table | None:
    if wrong.empty:
        return None
    worst = wrong.sort_values(["tuned_confidence", "record_id"], ascending=[False, True]).head(SHOWN)
    rows: list[list[Cell]] = [
        [
            (Span(row["record_id"], "code"),),
            row["gold"],
            row["tuned"],
            number(row["tuned_confidence"], digits=3),
            number(row["tuned_p_gold"], digits=3),
            f"{row['tuned_rank']:.0f}",
        ]
        for row in worst.to_dict("records")
    ]
    columns = ["record", "gold", "predicted", "confidence", "p(gold)", "rank of gold"]
    return Table(columns, rows, title="Most confident mistakes")
