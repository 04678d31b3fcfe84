"""The plots of a report: results in, figures out, as PNG for Markdown and as SVG in the colours of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.report.results import NAMES, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours by the name that they have in style.css, which gives others in the dark; these are drawn as they stand in PNG.
COLOURS = {
    "ink": "#1b2530",
    "muted": "#5d6975",
    "rule": "#d8dee4",
    "tuned": "#1f5fc4",
    "tfidf": "#c05a12",
    "probe": "#3d8a4a",
    "zero_shot": "#8650b8",
    "phenotype_likelihood": "#0d8588",
    "majority": "#87919b",
    "ceiling": "#46505a",
}
DASHED = {"ceiling", "majority"}
FAMILY = "DejaVu Sans"  # comes with matplotlib, so that text has the same size everywhere
SIZE = (4.4, 3.3)  # inches
MOST_TICKS = 12
MOST_DIAGNOSES = 50  # of a readable confusion matrix
STYLE: dict[Any, Any] = {
    "axes.edgecolor": COLOURS["rule"],
    "axes.grid": True,
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "figure.dpi": 72,
    "font.family": FAMILY,
    "font.size": 9,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": COLOURS["ink"],
    "lines.linewidth": 1.8,
    "lines.markersize": 3.5,
    "savefig.dpi": 110,
    "svg.fonttype": "none",  # text stays text: it can be read out, searched, and takes the page's font
    "svg.hashsalt": "differential",
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in the style of the report."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def draw(name: str, results: Results) -> Figure:
    """Return the figure of a plot by its name."""
    from matplotlib.figure import Figure

    side = 3.6 + 0.16 * min(results.predictions["gold"].nunique(), MOST_DIAGNOSES)
    figure = Figure(figsize=(side + 0.4, side) if name == "confusion" else SIZE, layout="constrained")
    DRAWN[name](figure.subplots(), results)
    return figure


def as_png(figure: Figure, path: Path) -> None:
    """Write a figure as a file, without the version of what drew it."""
    figure.savefig(path, format="png", metadata={"Software": None})


def as_svg(figure: Figure, name: str) -> str:
    """Return a figure as an element for HTML: colours and font are the page's, ids begin with `name`."""
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=True, metadata=dict.fromkeys(["Creator", "Date", "Format", "Type"])
    )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)  # it is the page's as well
    svg = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", re.sub(r' (xmlns|version)="[^"]*"', "", svg), count=1)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, code in COLOURS.items():
        svg = svg.replace(code, f"var(--{colour})")
    return svg.replace(f"'{FAMILY}'", "var(--font)")


def _roc(axes: Axes, results: Results) -> None:
    axes.plot([0, 1], [0, 1], color=COLOURS["rule"], linestyle=":")
    for model, name in _shown(results.roc.columns):
        _line(axes, results.roc["false_positive_rate"], results.roc[model], model=model, label=name)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower right")


def _losses(axes: Axes, results: Results) -> None:
    curve = results.losses
    for column, colour in {"train": "tfidf", "validation": "tuned"}.items():
        axes.plot(curve["epoch"], curve[column], marker="o", color=COLOURS[colour], label=column)
    axes.set(xlabel="epoch", ylabel="log loss", ylim=(0, None))
    axes.set_xticks(curve["epoch"].astype(int)[:: 1 + len(curve) // MOST_TICKS])
    axes.legend()


def _reliability(axes: Axes, results: Results) -> None:
    axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linestyle=":", linewidth=1)
    drawn = {
        "tuned LLM, before": ("tuned_raw", "majority", "--"),
        "tuned LLM, after": ("tuned_calibrated", "tuned", "-"),
        "TF-IDF, after": ("tfidf_calibrated", "tfidf", "-"),
    }
    for label, (columns, colour, line) in drawn.items():
        x, y = (results.reliability[f"{columns}_{axis}"] for axis in ("confidence", "accuracy"))
        axes.plot(x, y, marker="o", linestyle=line, color=COLOURS[colour], label=label)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="upper left")


def _risk_coverage(axes: Axes, results: Results) -> None:
    curve = results.risk_coverage
    axes.plot(curve["coverage"], curve["risk"], color=COLOURS["tuned"], label="tuned LLM")
    target = results.calibration["abstention"]["target_risk"]
    axes.axhline(target, color=COLOURS["muted"], linestyle=":", linewidth=1, label="target risk")
    axes.set(xlabel="share of cases answered", ylabel="wrong among the answers", xlim=(0, 1), ylim=(0, None))
    axes.legend(loc="upper left")


def _decision_curve(axes: Axes, results: Results) -> None:
    table = results.decision_curve
    first = dict.fromkeys(table["diagnosis"])
    for place, diagnosis in enumerate(first):
        rows = table[table["diagnosis"] == diagnosis]
        line = ["-", "--", "-.", ":"][place % 4]
        axes.plot(rows["threshold"], rows["tuned"], color=COLOURS["tuned"], linestyle=line, label=diagnosis)
        axes.plot(rows["threshold"], rows["all"], color=COLOURS["majority"], linestyle=line, linewidth=1)
    highest = table["tuned"].max()
    axes.axhline(0, color=COLOURS["muted"], linewidth=1, label="nobody")
    axes.set(xlabel="threshold", ylabel="net benefit", ylim=(-0.15 * highest, 1.15 * highest), xlim=(0, 1))
    axes.legend()


def _confusion(axes: Axes, results: Results) -> None:
    """Draw a square per pair that occurs: opacity, not colour, tells how often, so that it reads in the dark too."""
    from matplotlib.patches import Rectangle

    table = results.predictions
    wrong = table.loc[table["gold"] != table["tuned"], "gold"].value_counts()
    families = results.families()
    everything = sorted(set(table["gold"]), key=lambda name: (families.get(name, ""), name))
    kept = set(sorted(everything, key=lambda name: (-wrong.get(name, 0), name))[:MOST_DIAGNOSES])
    names = [name for name in everything if name in kept]
    places = {name: place for place, name in enumerate(names)}
    counts = table.groupby(["gold", "tuned"]).size().reset_index(name="cases")
    counts["share"] = counts["cases"] / counts.groupby("gold")["cases"].transform("sum")
    for gold, predicted, _, share in counts.itertuples(index=False):
        if gold in places and predicted in places:
            corner = (places[predicted] - 0.5, places[gold] - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=COLOURS["tuned"], alpha=min(1, 0.08 + share), linewidth=0))
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="predicted", ylabel="gold")
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(length=0)
    axes.set_aspect("equal")


def _line(axes: Axes, x: Any, y: Any, *, model: str, label: str) -> None:
    dashed = model in DASHED
    axes.plot(
        x, y, color=COLOURS[model], linestyle="--" if dashed else "-", linewidth=1.2 if dashed else 1.8, label=label
    )


def _shown(columns: Any) -> list[tuple[str, str]]:
    return [(model, name) for model, name in NAMES.items() if model in columns]


DRAWN: dict[str, Callable[[Axes, Results], None]] = {
    "roc": _roc,
    "losses": _losses,
    "reliability": _reliability,
    "risk_coverage": _risk_coverage,
    "decision_curve": _decision_curve,
    "confusion": _confusion,
}
