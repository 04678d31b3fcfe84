"""The report as one page: the results of a run in, its verdict, figures and sections out."""

from __future__ import annotations

from stages.lib.report.cases import cases
from stages.lib.report.evidence import evidence
from stages.lib.report.page import Figure, Measure, Page, marked, measure, number, paragraph, percent, section
from stages.lib.report.performance import performance, tone, verdict
from stages.lib.report.results import Results
from stages.lib.report.trust import trust


def page_of(results: Results) -> Page:
    """Return the page, from which HTML and Markdown are written alike."""
    found = results.evaluation
    return Page(
        title="Differential: report",
        lead=marked(
            f"{found['test_cases']:,} test cases in {found['test_groups']:,} independent groups, "
            f"{found['diagnoses']} diagnoses."
        ),
        verdict=verdict(results.comparisons),
        tone=tone(results.comparisons),
        figures=figures(results),
        sections=[
            *performance(results),
            *trust(results),
            *cases(results),
            *evidence(results),
            section(
                "Reading this page",
                paragraph(
                    "It is made by the stage `report` from files that git and DVC keep, and holds no clock, host or "
                    "text of a patient. A checklist after TRIPOD-LLM stands in [tripod_llm.md](tripod_llm.md), the "
                    "model card in [models/README.md](../../models/README.md)."
                ),
                paragraph("Research software: no medical device, and no diagnosis without a clinician."),
            ),
        ],
    )


def figures(results: Results) -> list[Figure]:
    """Return the numbers at the top of the page."""
    tuned, scrubbing = results.measured("tuned"), results.scrubbing
    accuracy, top = (measure(tuned[name], digits=1, scale=100) for name in ("accuracy", "top_3_accuracy"))
    error = tuned.get("expected_calibration_error", {})
    rival = results.measured("tfidf")["accuracy"]["value"]
    shown = [
        Figure("accuracy", Measure(f"{accuracy.value} %", accuracy.interval), f"TF-IDF: {percent(rival)}"),
        Figure("right one among the first three", Measure(f"{top.value} %", top.interval), "top-3 accuracy"),
        Figure(
            "calibration error",
            Measure(number(error.get("value"), digits=3)),
            f"by chance up to {number(error.get('null_high'), digits=3)}",
        ),
    ]
    if "leak" in scrubbing:
        leak = measure(scrubbing, "leak", digits=2, scale=100)
        shown.append(Figure("of PHI's characters left", Measure(f"{leak.value} %", leak.interval), "on gold spans"))
    else:
        shown.append(Figure("canaries left", Measure(f"{scrubbing['canaries_left']:,}"), "PHI left is not measured"))
    return shown
