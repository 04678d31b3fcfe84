"""Report: metrics, calibration, examples and provenance in; the page that a reviewer reads and the model card out."""

from __future__ import annotations

from stages.lib.report.card import card
from stages.lib.report.checklist import checklist
from stages.lib.report.content import page_of
from stages.lib.report.html import html
from stages.lib.report.markdown import markdown
from stages.lib.report.plots import as_png, as_svg, draw, styled
from stages.lib.report.results import read_results
from stages.lib.stage import In, Out, run


def report(
    acquisition: In,
    adapter: In,
    calibration: In,
    comparisons: In,
    croissant: In,
    data_quality: In,
    decision_curve: In,
    evaluation: In,
    explanations: In,
    intervals: In,
    losses: In,
    per_diagnosis: In,
    perturbations: In,
    predictions: In,
    reliability: In,
    risk_coverage: In,
    roc: In,
    scrubbing: In,
    splits: In,
    subgroups: In,
    training: In,
    report: Out,
    README: Out,  # noqa: N803  (a model card's name, which the hub knows)
) -> None:
    """Write the report as HTML and in short as Markdown with its plots, a TRIPOD-LLM checklist and the model card."""
    inputs = {name: path for name, path in locals().items() if name not in ("report", "README")}
    results = read_results(inputs)
    page = page_of(results)
    report.mkdir()
    plots = {}
    with styled():
        for plot in page.plots():
            figure = draw(plot.name, results)
            as_png(figure, report / f"{plot.name}.png")
            plots[plot.name] = as_svg(figure, plot.name)
    for path, text in {
        report / "report.html": html(page, plots),
        report / "report.md": markdown(page),
        report / "tripod_llm.md": checklist(results, page),
        README: card(results),
    }.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(report)
