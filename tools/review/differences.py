"""Tell what differs between two revisions besides the answers: data, other metrics, parameters, code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tools.review.cases import ATTRIBUTES, OPTIONAL
from tools.review.revisions import FILES, Revision

if TYPE_CHECKING:
    import pandas as pd

Differences = dict[str, dict[str, Any]]  # by key: what `base` and `head` hold; a side that lacks the key is not named


def differences(base: Mapping[str, Any], head: Mapping[str, Any]) -> Differences:
    """Return the dotted keys whose values differ."""
    sides = {"base": dict(_leaves(base)), "head": dict(_leaves(head))}
    keys = sorted({key for leaves in sides.values() for key in leaves})
    found = {key: {side: leaves[key] for side, leaves in sides.items() if key in leaves} for key in keys}
    return {key: values for key, values in found.items() if len(values) == 1 or values["base"] != values["head"]}


def code_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the code files that differ between two dvc.lock files, each with the stages that depend on it."""
    found: dict[str, list[str]] = {}
    for stage in sorted(base.keys() & head.keys()):
        before, after = (_hashes(lock[stage], "deps") for lock in (base, head))
        for path in sorted(before.keys() | after.keys()):
            if path.startswith("stages/") and before.get(path) != after.get(path):
                found.setdefault(path, []).append(stage)
    return dict(sorted(found.items()))


def stage_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    """Return the stages that only one of two dvc.lock files holds, each with the word for it."""
    gone, new = sorted(base.keys() - head.keys()), sorted(head.keys() - base.keys())
    return [f"{name} (removed)" for name in gone] + [f"{name} (new)" for name in new]


def output_changes(base: Mapping[str, Any], head: Mapping[str, Any]) -> list[str]:
    """Return the outputs whose content differs between two dvc.lock files."""
    before, after = (
        {k: v for stage in lock.values() for k, v in _hashes(stage, "outs").items()} for lock in (base, head)
    )
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def label_counts(base: pd.DataFrame, head: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Return the test cases of each diagnosis in both."""
    before, after = base["gold"].value_counts(), head["gold"].value_counts()
    names = sorted({*before.index, *after.index})
    return {name: {"base": int(before.get(name, 0)), "head": int(after.get(name, 0))} for name in names}


def label_drift(counts: Mapping[str, Mapping[str, int]]) -> float:
    """Return the Jensen-Shannon divergence of the diagnoses, in bits: 0 for equal shares, 1 where none is common."""
    from stages.lib.expectations.drift import divergence

    before, after = (dict(enumerate(found[side] for found in counts.values())) for side in ("base", "head"))
    return divergence(after, before)


def missing(revision: Revision, table: pd.DataFrame) -> list[str]:
    """Return the files and columns that a revision lacks, and what follows."""
    notes = [path for path in FILES if revision.text(path) is None]
    if "group" not in table:
        notes.append("column group: each case counts as independent")
    without = [name for name in OPTIONAL if name not in table]
    if without:
        notes.append(f"columns {', '.join(without)}: no interval for what is made of them")
    without = [name for name in ATTRIBUTES if name not in table]
    if without:
        notes.append(f"columns {', '.join(without)}: no subgroups by them")
    return notes


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _hashes(stage: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {item["path"]: item.get(item.get("hash", "md5"), "") for item in stage.get(kind, [])}
