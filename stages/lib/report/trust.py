"""Whether probabilities can be acted on, and for whom and on what the model fails: results in, sections out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.lib.report.page import (
    NONE,
    Cell,
    Measure,
    Plot,
    Section,
    Table,
    marked,
    measure,
    number,
    paragraph,
    percent,
    section,
)
from stages.lib.report.results import Results

GAP = "gap"
OF_GROUPS = {
    "accuracy": ("accuracy %", 100, 1),
    "macro_recall": ("macro-recall %", 100, 1),
    "top_3_accuracy": ("top-3 %", 100, 1),
    "log_loss": ("log loss", 1, 2),
    "brier_score": ("Brier", 1, 3),
}


def trust(results: Results) -> list[Section]:
    """Return the sections on calibration, abstention, usefulness, subgroups and robustness."""
    sections = [calibration(results), abstention(results), usefulness(results), fairness(results), robustness(results)]
    return [found for found in sections if found.blocks]


def calibration(results: Results) -> Section:
    """Return how far confidence is from accuracy, before and after calibration."""
    learnt, tuned = results.calibration, results.measured("tuned")
    rows: list[list[Cell]] = []
    for state, name in {"_raw": "before", "": "after"}.items():
        if found := tuned.get(f"expected_calibration_error{state}"):
            rows.append([name, *(number(found.get(key), digits=3) for key in ("value", "null_high"))])
    method = str(learnt["method"])
    told = f", {number(learnt['temperature'], digits=3)}" if method == "temperature" else ""
    return section(
        "Calibration",
        paragraph(
            f"The tuned model's probabilities are calibrated by `{method}`{told}, fitted on "
            f"{learnt['calibration_cases']:,} cases that neither training nor the test split holds."
        ),
        Plot(
            "reliability",
            "Reliability, before and after calibration",
            "Accuracy against the confidence of the first diagnosis in ten bins of equal size; on the dotted line they "
            "agree.",
            "Ten bins of equal size; on the dotted line confidence and accuracy agree.",
        ),
        Table(["calibration", "calibration error", "by chance, at most"], rows) if rows else None,
        paragraph(
            "The error is that of the first diagnosis over ten bins of equal size, less its bias. By chance: 95 % of "
            "perfectly calibrated models have a lower one on so many cases."
        ),
    )


def abstention(results: Results) -> Section:
    """Return what it brings to answer only where the model is confident, and to answer by sets."""
    refusing, sets = results.calibration["abstention"], results.calibration["conformal"]
    tuned = results.measured("tuned")
    risk, threshold = percent(refusing["target_risk"], digits=0), refusing["threshold"]
    promised: list[list[Cell]] = [
        ["cases answered", "", _share(tuned, "answered")],
        ["wrong among the answers", f"at most {risk}", _share(tuned, "selective_risk")],
        ["sets with the right diagnosis", f"{percent(sets['coverage'], digits=0)}", _share(tuned, "set_coverage")],
        ["diagnoses in a set, mean", "", measure(tuned.get("mean_set_size", {}), digits=1)],
    ]
    refused = (
        f"No confidence is shown to keep wrong answers at {risk} or fewer: the model would have to leave every case to "
        "the clinician."
        if threshold is None
        else f"The model answers where its confidence is {number(threshold, digits=2)} or more, which is shown, on the "
        f"calibration split, to keep wrong answers at {risk} or fewer; other cases it leaves to the clinician."
    )
    each = "Thresholds hold for each diagnosis. " if sets.get("per_diagnosis") else ""
    return section(
        "Abstention and sets of diagnoses",
        paragraph(refused),
        Table(["on the test split", "promised", "measured"], promised),
        paragraph(
            f"A conformal set holds every diagnosis of {number(sets['threshold'], digits=3)} or more. {each}Both "
            "promises are for cases like those of the calibration split."
        ),
        Plot(
            "risk_coverage",
            "Risk by coverage",
            "Share of wrong answers among those given, by the share of cases answered.",
            "Cases are answered from the most confident on.",
        ),
    )


def usefulness(results: Results) -> Section:
    """Return the decision curves, where a prevalence is declared for a diagnosis."""
    if results.decision_curve.empty:
        return section("Usefulness")
    names = ", ".join(dict.fromkeys(results.decision_curve["diagnosis"]))
    return section(
        "Usefulness",
        Plot(
            "decision_curve",
            "Decision curves",
            f"Net benefit of acting on the model, on everybody and on nobody, by threshold, for {names}.",
            "Blue acts on the model, grey on everybody.",
        ),
        paragraph(
            "Net benefit is in true positives per patient, at the prevalence that params.yaml declares. At a threshold "
            "the model helps where its curve is above both others."
        ),
    )


def fairness(results: Results) -> Section:
    """Return a table per attribute, groups in rows, and the largest difference between two of them last."""
    if results.subgroups.empty:
        return section("Subgroups")
    attributes = results.subgroups.groupby("attribute", sort=False)
    tables = [_groups(str(name), rows) for name, rows in attributes if GAP in set(rows["group"])]
    worst = results.evaluation.get("worst_group")
    lowest = percent(results.evaluation.get("worst_group_recall"))
    return section(
        "Subgroups",
        paragraph(f"**Lowest macro-recall: {lowest}, {worst}.**") if worst else None,
        *tables,
        paragraph("Groups of few cases are left out; a gap is the largest difference between two groups of a table."),
    )


def _groups(attribute: str, rows: Any) -> Table:
    shown = {metric: told for metric, told in OF_GROUPS.items() if metric in set(rows["metric"])}
    cells: list[list[Cell]] = []
    for group, own in rows.groupby("group", sort=False):
        found = {row["metric"]: row for row in own.to_dict("records")}
        last = group == GAP
        name: Cell = marked("**largest gap**") if last else str(group)
        cases = "" if last else f"{own['cases'].iloc[0]:,}"
        measures = [
            measure(found.get(key, {}), digits=digits, scale=scale) for key, (_, scale, digits) in shown.items()
        ]
        cells.append([name, cases, *measures])
    brief = attribute in ("sex", "age band", "source")
    return Table(["group", "cases", *(told[0] for told in shown.values())], cells, title=f"By {attribute}", brief=brief)


def robustness(results: Results) -> Section:
    """Return how often the first diagnosis moves when a note is changed."""
    tried = results.perturbations[results.perturbations["cases"] > 0].to_dict("records")
    columns = ["change of the note", "diagnosis expected", "cases", "other diagnosis %"]
    columns += ["accuracy % before", "accuracy % after", "probability moved %"]
    if not tried:
        return section("Robustness")
    return section(
        "Robustness",
        paragraph(
            "Test cases are asked again with their notes changed. What does not bear on the diagnosis should leave it "
            "as it is."
        ),
        Table(columns, [_moved(row) for row in tried]),
    )


def _moved(row: Mapping[Any, Any]) -> list[Cell]:
    """Return a perturbation's row of the table."""
    shares = [number(row[key], digits=1, scale=100) for key in ("accuracy_before", "accuracy", "probability_shift")]
    first = [row["perturbation"].replace("_", " "), row["expected"], f"{row['cases']:,}"]
    return [*first, measure(row, "changed", digits=1, scale=100), *shares]


def _share(tuned: dict[str, dict[str, Any]], name: str) -> Measure:
    found = measure(tuned.get(name, {}), digits=1, scale=100)
    return found if found.value == NONE else Measure(f"{found.value} %", found.interval)
