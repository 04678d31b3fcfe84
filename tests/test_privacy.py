"""What the report and the docs say of a scrub: every class has its row, and nothing is said that was not measured."""

from __future__ import annotations

from typing import Any

from stages.lib.phi.canaries import TEXTS
from stages.lib.phi.leak import Leak
from stages.lib.phi.spans import Span
from stages.lib.phi.tally import Tally
from stages.lib.privacy import outcome, recall_by_class
from stages.lib.report.evidence import privacy
from stages.lib.report.markdown import part

DONE: dict[str, Any] = {"policy": "redact", "version": "0123456789ab", "kept_entities": []}


def measured(*found: Span, **changes: Any) -> dict[str, Any]:
    """Return the metrics of a text with a name, a social security number and a badge, of which `found` was replaced."""
    leak = Leak()
    gold = [Span(0, 8, "PERSON"), Span(9, 20, "US_SSN"), Span(21, 25, "BADGE")]
    leak.add("John Doe 536-22-8145 X-17 has a cough", gold=gold, found=found)
    tally = Tally(leak=leak)
    tally.counts.update(documents=1200, changed=1100, canaries=47)
    tally.spans.update(PERSON=1, ID=1)
    tally.patients.update({("30", "female"): 5, ("40", "male"): 1})
    return DONE | tally.metrics() | changes


def row(scrubbing: dict[str, Any], name: str) -> list[str]:
    (found,) = [row for row in recall_by_class(scrubbing)[1] if row[0].startswith(name)]
    return found


def test_the_outcome_has_the_leak_with_its_interval_canaries_and_k() -> None:
    _, rows = outcome(measured(Span(0, 8, "PERSON", "names")))
    cells = dict(map(tuple, rows))
    assert cells["texts"] == "1,200"
    assert (cells["canaries planted"], cells["canaries left"]) == ("47", "0")
    assert cells["characters of PHI that are left"].startswith("68.18 % [")
    assert cells["k: fewest patients alike in age band, sex, diagnosis and ZIP area"] == "1 (of 2 classes)"
    assert cells["patients in classes below 5"] == "16.7 %"


def test_the_outcome_names_the_version_of_the_audit_and_what_was_kept() -> None:
    rows = outcome(measured(kept_entities=["NRP"]))[1]
    assert ["version, as in the audit", "`0123456789ab`"] in rows
    assert ["entities kept", "`NRP`"] in rows


def test_every_safe_harbor_class_has_a_row_with_recognizer_and_recall() -> None:
    scrubbing = measured(Span(0, 8, "PERSON", "names"), Span(9, 13, "ID", "numbers"))
    columns, rows = recall_by_class(scrubbing)
    assert {name[0] for name, *_ in rows[:-1]} == set("ABCDEFGHIJKLMNOPQR")
    assert all(len(row) == len(columns) for row in rows)
    assert row(scrubbing, "A names")[1:] == ["`PERSON`", "1", "names", "1", "100.0 % [20.7, 100.0]", "3"]
    assert row(scrubbing, "G social")[1:6] == ["`ID`", "1", "numbers", "1", "0.0 % [0.0, 79.3]"]
    assert row(scrubbing, "L vehicle")[2:6] == ["0", "-", "0", "not measured"]


def test_an_entity_that_only_gold_spans_name_is_shown() -> None:
    assert row(measured(), "another") == ["another", "`BADGE`", "-", "-", "1", "0.0 % [0.0, 79.3]", "0"]


def test_a_kept_entity_has_no_canaries() -> None:
    assert row(measured(kept_entities=["AGE"]), "C ages")[-1] == "0"
    assert row(measured(kept_entities=[]), "C ages")[-1] == str(len(TEXTS["C ages over 89"][1]))


def test_without_gold_spans_nothing_is_said_of_what_is_left() -> None:
    scrubbing = DONE | Tally().metrics()
    page = part(privacy(scrubbing))
    assert "not measured" in page
    assert "%" not in page
    assert {row[5] for row in recall_by_class(scrubbing)[1]} == {"not measured"}
