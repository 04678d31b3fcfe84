"""Report: metrics in, the page that a reviewer reads out, in Markdown with plots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stages.lib.intervals import Intervals, read_intervals
from stages.lib.privacy import outcome, recall_by_class
from stages.lib.stage import In, Out, run

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NAMES = {
    "tuned": "tuned LLM",
    "probe": "probe on the frozen LLM",
    "tfidf": "TF-IDF + logistic regression",
    "phenotype_likelihood": "HPO annotations, given the findings",
    "zero_shot": "untuned LLM, zero-shot",
    "majority": "majority",
    "ceiling": "ceiling, given the findings",
}


def report(
    acquisition: In,
    scrubbing: In,
    data_quality: In,
    splits: In,
    training: In,
    losses: In,
    evaluation: In,
    intervals: In,
    comparisons: In,
    per_diagnosis: In,
    predictions: In,
    roc: In,
    reliability: In,
    report: Out,
) -> None:
    """Write report.md with the headline table, the verdict against TF-IDF, plots and the evidence on the data."""
    import pandas as pd

    report.mkdir()
    results = json.loads(evaluation.read_text())
    bounds = read_intervals(intervals)
    figures = pd.read_csv(per_diagnosis)
    draw(report, losses=losses, roc=roc, reliability=reliability, predictions=predictions)
    evidence = {"Acquisition": acquisition, "Data quality": data_quality, "Splits": splits, "Training": training}
    sections = [
        "# Report",
        f"{results['test_cases']:,} test cases in {results['test_groups']:,} independent groups, "
        f"{results['diagnoses']} diagnoses. " + verdict(pd.read_csv(comparisons)),
        "## Models\n\n" + headline(bounds),
        "Brackets hold the interval of a bootstrap over independent groups. Log loss, Brier score and the (debiased) "
        "calibration error are taken after temperature scaling on the calibration split.",
        "## Plots\n\n" + "\n".join(f"![{name}]({name}.png)" for name in ("roc", "reliability", "confusion", "losses")),
        "## Hardest and easiest diagnoses of the tuned model\n\n" + extremes(figures),
        "## De-identification\n\n" + deidentification(json.loads(scrubbing.read_text())),
        *(f"## {title}\n\n{listing(json.loads(path.read_text()))}" for title, path in evidence.items()),
    ]
    (report / "report.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def verdict(comparisons: pd.DataFrame) -> str:
    """Say in one sentence whether the tuned model beats TF-IDF, by the paired interval of the accuracy gain."""
    found = comparisons.query("model == 'tuned' and baseline == 'tfidf' and metric == 'accuracy'")
    gain, low, high = found[["gain", "low", "high"]].to_numpy()[0].tolist()
    points = f"{100 * gain:+.1f} points of accuracy [{100 * low:+.1f}, {100 * high:+.1f}]"
    if low > 0:
        return f"**The tuned LLM beats TF-IDF + logistic regression: {points}.**"
    if high < 0:
        return f"**The tuned LLM loses to TF-IDF + logistic regression: {points}.**"
    return f"**The tuned LLM does not beat TF-IDF + logistic regression: {points}, an interval that includes 0.**"


def headline(intervals: Intervals) -> str:
    """Return the table of models, the tuned one first."""

    def cell(model: str, metric: str, scale: int, digits: int) -> str:
        value, low, high = (f"{scale * number:.{digits}f}" for number in intervals[model][metric][:3])
        return f"{value} [{low}, {high}]"

    most = max(found["cases"].value for found in intervals.values())
    rows = [
        [
            f"{name}, {cases:.0f} cases" if (cases := intervals[model]["cases"].value) < most else name,
            cell(model, "accuracy", 100, 1),
            cell(model, "top_3_accuracy", 100, 1),
            cell(model, "macro_f1", 100, 1),
            f"{intervals[model]['macro_auc_roc'].value:.3f}",
            cell(model, "log_loss", 1, 2),
            f"{intervals[model]['brier_score'].value:.3f}",
            f"{intervals[model]['expected_calibration_error'].value:.3f}",
        ]
        for model, name in NAMES.items()
        if model in intervals
    ]
    columns = ["model", "accuracy %", "top-3 %", "macro-F1 %", "AUC-ROC", "log loss", "Brier", "calibration error"]
    return table(columns, rows)


def extremes(figures: pd.DataFrame, *, count: int = 5) -> str:
    """Return the diagnoses of lowest and highest F1."""
    tuned = figures[figures["model"] == "tuned"].sort_values(["f1", "diagnosis"])
    shown = tuned if len(tuned) <= 2 * count else tuned.iloc[[*range(count), *range(-count, 0)]]
    columns = ["diagnosis", "precision", "sensitivity", "f1", "cases"]
    rows = [[str(cell) for cell in row] for row in shown[columns].round(2).to_numpy()]
    return table(columns, rows)


def deidentification(scrubbing: dict[str, Any]) -> str:
    """Return what a privacy officer asks: what was replaced, what was left, how it is known."""
    note = "No source brings gold spans, so what is left is not measured; canaries show that every class is looked for."
    if "recall" in scrubbing:
        note = "Brackets hold 95 % intervals. A replaced span counts for the entity that it was taken for."
    return "\n\n".join([table(*outcome(scrubbing)), note, table(*recall_by_class(scrubbing))])


def listing(values: dict[str, Any], prefix: str = "") -> str:
    """Return nested metrics as a table of dotted keys."""

    def flat(node: dict[str, Any], parents: str) -> list[list[str]]:
        rows = []
        for key, value in node.items():
            rows += flat(value, f"{parents}{key}.") if isinstance(value, dict) else [[f"{parents}{key}", str(value)]]
        return rows

    return table(["metric", "value"], flat(values, prefix))


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(folder: Path, *, losses: Path, roc: Path, reliability: Path, predictions: Path) -> None:
    """Draw the four plots as PNG."""
    import matplotlib as mpl
    import pandas as pd
    from matplotlib.figure import Figure

    mpl.rcParams["savefig.dpi"] = 110

    def save(figure: Figure, name: str) -> None:
        figure.savefig(folder / f"{name}.png", bbox_inches="tight", metadata={"Software": None})

    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    curve = pd.read_csv(losses)
    axes.plot(curve["epoch"], curve["train"], marker="o", label="train")
    axes.plot(curve["epoch"], curve["validation"], marker="o", label="validation")
    axes.set(xlabel="epoch", ylabel="log loss", title="Training", xticks=curve["epoch"])
    axes.legend()
    save(figure, "losses")

    for name, path in {"roc": roc, "reliability": reliability}.items():
        figure = Figure(figsize=(5, 4))
        axes = figure.subplots()
        data = pd.read_csv(path)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle=":")
        for model, label in NAMES.items():
            if model not in data and f"{model}_calibrated_accuracy" not in data:
                continue
            if name == "roc":
                axes.plot(data["false_positive_rate"], data[model], label=label)
                axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC, macro-average")
            elif model != "majority":
                columns = [f"{model}_calibrated_confidence", f"{model}_calibrated_accuracy"]
                axes.plot(data[columns[0]], data[columns[1]], marker="o", markersize=3, label=label)
                axes.set(xlabel="confidence", ylabel="accuracy", title="Reliability after calibration")
        axes.legend(fontsize=8)
        save(figure, name)

    shown = pd.read_csv(predictions)
    names = sorted(set(shown["gold"]))
    matrix = pd.crosstab(shown["gold"], shown["tuned"], normalize="index").reindex(index=names, columns=names).fillna(0)
    figure = Figure(figsize=(9, 8))
    axes = figure.subplots()
    image = axes.imshow(matrix.to_numpy(), cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=90, fontsize=7)
    axes.set_yticks(ticks, names, fontsize=7)
    axes.set(xlabel="predicted", ylabel="gold", title="Confusion of the tuned model, share of each gold diagnosis")
    figure.colorbar(image, shrink=0.6)
    save(figure, "confusion")


if __name__ == "__main__":
    run(report)
