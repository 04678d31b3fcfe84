"""How good the model is and whether it beats what it has to beat: results in, verdict, tables and plots out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from stages.lib.report.page import (
    NONE,
    Cell,
    Plot,
    Section,
    Table,
    Text,
    marked,
    measure,
    number,
    paragraph,
    section,
)
from stages.lib.report.results import NAMES, Results, gains, measured, models

if TYPE_CHECKING:
    import pandas as pd

EXTREMES = 5  # diagnoses at either end
RIVAL = "tfidf"


class Column(NamedTuple):
    """A metric as the headline shows it."""

    metric: str
    name: str
    digits: int
    scale: float = 1


HEADLINE = (
    Column("accuracy", "accuracy %", 1, 100),
    Column("top_3_accuracy", "top-3 %", 1, 100),
    Column("macro_f1", "macro-F1 %", 1, 100),
    Column("macro_auc_roc", "AUC-ROC", 3),
    Column("log_loss", "log loss", 2),
    Column("brier_score", "Brier", 3),
    Column("expected_calibration_error", "calibration error", 3),
)
COMPARED = (
    Column("accuracy", "accuracy, points", 1, 100),
    Column("macro_f1", "macro-F1, points", 1, 100),
    Column("log_loss", "log loss", 2),
)
READ_AS = {"better": "beats", "worse": "loses to", "same": "does not beat"}
BY_DIAGNOSIS = {
    "precision": "precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "f1": "F1",
    "auc_roc": "AUC-ROC",
    "auc_pr": "AUC-PR",
}


def tone(comparisons: pd.DataFrame) -> Literal["better", "same", "worse"]:
    """Say how the tuned model stands to TF-IDF, by the paired interval of the gain in accuracy."""
    gain = gains(comparisons)[RIVAL]
    return "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "same"


def verdict(comparisons: pd.DataFrame) -> Text:
    """Say in one sentence whether the tuned model beats TF-IDF."""
    found = tone(comparisons)
    gain = measure(gains(comparisons)[RIVAL], "gain", digits=1, scale=100, sign=True)
    bounds = f"{gain.value} points of accuracy [{gain.interval}]"
    end = ", an interval that includes 0." if found == "same" else "."
    return marked(f"**The tuned LLM {READ_AS[found]} {NAMES[RIVAL]}: {bounds}{end}**")


def headline(intervals: pd.DataFrame) -> Table:
    """Return the table of models, the tuned one first; a model that was asked of fewer cases says of how many."""
    shown = models(intervals)
    cases = {model: measured(intervals, model)["cases"]["value"] for model in shown}
    rows: list[list[Cell]] = []
    for model, name in shown.items():
        found = measured(intervals, model)
        named = name if cases[model] == max(cases.values()) else f"{name}, {cases[model]:,.0f} cases"
        cells = [measure(found.get(key, {}), digits=digits, scale=scale) for key, _, digits, scale in HEADLINE]
        rows.append([marked(f"**{named}**") if model == "tuned" else named, *cells])
    return Table(["model", *(column.name for column in HEADLINE)], rows)


def comparisons(results: Results) -> Table:
    """Return what the tuned model gains over each other one, with p values."""
    rows: list[list[Cell]] = []
    for other, gain in results.gains().items():
        cells: list[Cell] = [
            measure(results.gains(key).get(other, {}), "gain", digits=digits, scale=scale, sign=True)
            for key, _, digits, scale in COMPARED
        ]
        p_values = [_probability(gain.get(name)) for name in ("p_adjusted", "p_mcnemar")]
        rows.append([NAMES[other], f"{gain['cases']:,}", *cells, *p_values])
    names = [column.name for column in COMPARED]
    return Table(["tuned LLM less", "cases", *names, "p, adjusted", "p, McNemar"], rows, title="Paired differences")


def every_metric(results: Results) -> Table:
    """Return all that was measured, a row per metric and a column per model."""
    shown = results.models()
    found = {model: results.measured(model) for model in shown}
    metrics = dict.fromkeys(metric for rows in found.values() for metric in rows if metric != "cases")
    rows: list[list[Cell]] = [
        [metric.replace("_", " "), *(measure(found[model].get(metric, {}), digits=4) for model in shown)]
        for metric in metrics
    ]
    return Table(["metric", *shown.values()], rows, title="Every metric of every model", brief=False)


def by_diagnosis(results: Results) -> list[Table]:
    """Return the diagnoses of lowest and highest F1 of the tuned model, and the table of all."""
    table = results.per_diagnosis
    tuned = table[table["model"] == "tuned"].sort_values(["f1", "diagnosis"], na_position="first").to_dict("records")
    shown = {key: name for key, name in BY_DIAGNOSIS.items() if key in table}

    def row(found: dict[Any, Any]) -> list[Cell]:
        return [found["diagnosis"], f"{found['cases']:,.0f}", *(number(found[key], digits=2) for key in shown)]

    columns = ["diagnosis", "cases", *shown.values()]
    if len(tuned) <= 2 * EXTREMES:
        return [Table(columns, [row(found) for found in tuned])]
    ends = [*tuned[:EXTREMES], *tuned[-EXTREMES:]]
    return [
        Table(columns, [row(found) for found in ends], title=f"The {EXTREMES} hardest and the {EXTREMES} easiest"),
        Table(columns, [row(found) for found in tuned], title="All diagnoses, from the hardest", brief=False),
    ]


def performance(results: Results) -> list[Section]:
    """Return the sections on models, their comparison and the single diagnoses."""
    kept = f"The weights of epoch {results.training['best_epoch']} are kept."
    return [
        section(
            "Models",
            headline(results.intervals),
            paragraph(" ".join(_reading(results))),
            comparisons(results),
            paragraph(
                "Both models are measured on the same cases, and the same groups are drawn for both. A lower log loss "
                "is better. The adjusted p value is the bootstrap's after Holm over the baselines; McNemar's is exact "
                "and takes cases for independent."
            ),
            every_metric(results),
        ),
        section(
            "Discrimination and training",
            Plot("roc", "ROC", _of_roc(results), "One-vs-rest, averaged over the diagnoses."),
            Plot("losses", "Training", _of_training(results), kept),
        ),
        section("By diagnosis", *by_diagnosis(results)),
    ]


def _reading(results: Results) -> Iterator[str]:
    """Yield the sentences that the table of models needs."""
    yield "Brackets hold intervals of a bootstrap over independent groups of patients."
    yield "All is measured on the test split, after calibration."
    if "ceiling" in results.models():
        yield "The ceiling is what one who knows how the patients were simulated would reach from what is in the note."
        if above := results.evaluation.get("models_above_ceiling", 0):
            yield f"**{above} models are above it: the splits leak.**"
    if findings := results.training["findings"]:
        yield f"The tuned LLM also learnt which of {findings:,} findings training notes affirm; the baselines did not."


def _of_roc(results: Results) -> str:
    areas = {name: results.measured(model).get("macro_auc_roc", {}) for model, name in results.models().items()}
    told = ", ".join(f"{name} {number(found.get('value'), digits=3)}" for name, found in areas.items())
    return f"True against false positive rate of each model. Areas under the curves: {told}."


def _of_training(results: Results) -> str:
    last = results.losses.iloc[-1]
    return (
        f"Log loss by epoch; in epoch {last['epoch']:.0f} it is {number(last['train'], digits=2)} in training and "
        f"{number(last['validation'], digits=2)} in validation."
    )


def _probability(value: Any) -> str:
    if value is None or value != value:
        return NONE
    return "< 0.001" if value < 0.001 else number(value, digits=3)
