"""What a scrub measured, as a privacy officer reads it: metrics/scrubbing.json in, columns and rows of tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.lib.phi.canaries import TEXTS

RECOGNIZERS_SHOWN = 3
Table = tuple[list[str], list[list[str]]]
COUNTS = {
    "documents": "texts",
    "documents_changed": "texts changed",
    "canaries": "canaries planted",
    "canaries_left": "canaries left",
    "phi_hits": "matches of PHI's formats in the scrubbed texts",
}
SHARES = {
    "leak": "characters of PHI that are left",
    "leaking_documents": "texts with gold spans in which any is left",
    "precision": "characters replaced that are PHI",
    "needlessly_removed": "characters replaced of those that are no PHI",
}


def outcome(scrubbing: Mapping[str, Any]) -> Table:
    """Return what was done, what gold spans measure of it where sources bring them, and how alike patients stay."""
    kept = ", ".join(f"`{entity}`" for entity in scrubbing["kept_entities"])
    rows = [
        ["policy", f"`{scrubbing['policy']}`"],
        ["version, as in the audit", f"`{scrubbing['version']}`"],
        ["entities kept", kept or "none"],
    ]
    rows += [[label, f"{scrubbing[name]:,}"] for name, label in COUNTS.items()]
    rows += [
        [label, _percent([scrubbing[f"{name}{end}"] for end in ("", "_low", "_high")], digits=2)]
        for name, label in SHARES.items()
        if name in scrubbing
    ]
    if alike := scrubbing["k_anonymity"]:
        smallest = f"{alike['smallest_class']:,} (of {alike['classes']:,} classes)"
        rows += [
            ["k: fewest patients alike in age band, sex, diagnosis and ZIP area", smallest],
            ["patients in classes below 5", f"{100 * alike['patients_in_classes_below_5']:.1f} %"],
        ]
    return ["what", "measured"], rows


def recall_by_class(scrubbing: Mapping[str, Any]) -> Table:
    """Return a row per Safe Harbor class: how often it was replaced, the recognizers, gold spans and their recall.

    Recall is the share of gold spans of which no character is left, with its 95 % interval. Last come entities that
    only a source's gold spans name.
    """
    recall, kept = scrubbing.get("recall", {}), scrubbing["kept_entities"]
    rows = []
    for name, (entity, texts) in TEXTS.items():
        replaced, planted = scrubbing["spans"].get(entity, 0), 0 if entity in kept else len(texts)
        rows.append([name, f"`{entity}`", f"{replaced:,}", *_measured(recall, _gold(name, entity)), str(planted)])
    ours = {_gold(name, entity) for name, (entity, _) in TEXTS.items()}
    rows += [["another", f"`{gold}`", "-", *_measured(recall, gold), "0"] for gold in recall if gold not in ours]
    return ["Safe Harbor class", "entity", "replaced", "found most by", "gold spans", "recall", "canaries"], rows


def _gold(name: str, entity: str) -> str:
    return "US_SSN" if name.startswith("G ") else entity  # as sources name it; it is found as an ID


def _measured(recall: Mapping[str, Any], gold: str) -> list[str]:
    if gold not in recall:
        return ["-", "0", "not measured"]
    found = recall[gold]
    finders = ", ".join(found["found_by"][:RECOGNIZERS_SHOWN]) or "-"
    return [finders, f"{found['spans']:,}", _percent([found[key] for key in ("value", "low", "high")], digits=1)]


def _percent(interval: Sequence[float], *, digits: int) -> str:
    value, low, high = (f"{100 * share:.{digits}f}" for share in interval)
    return f"{value} % [{low}, {high}]"
