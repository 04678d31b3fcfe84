"""The log of decisions on changes, change_log.jsonl: lines that are only ever added, each chained to the one before."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from stages.lib.stage import StageError
from tools.review.revisions import FILES, Revision

LOG = "change_log.jsonl"
FIRST = "0" * 64


def digest(text: str) -> str:
    """Return the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def evidence_of(base: Revision, head: Revision) -> str:
    """Return a hash of all files that a decision rests on, of both sides, whatever commits hold them."""
    return digest(json.dumps([[digest(side.text(path) or "") for path in FILES] for side in (base, head)]))


def verified(text: str, *, name: str) -> list[dict[str, Any]]:
    """Return the entries of a log; raise StageError where a line does not follow from the one before."""
    entries, previous = [], FIRST
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entry = json.loads(line)
            follows = entry["previous"] == previous
        except (ValueError, KeyError, TypeError):
            follows = False
        if not follows:
            hint = "lines were edited, removed or merged; take the base's file and run tools.gate again"
            raise StageError(f"{name}: {LOG}: line {number} does not follow from the one before; {hint}")
        entries.append(entry)
        previous = digest(line)
    if text and not text.endswith("\n"):
        raise StageError(f"{name}: {LOG}: the last line is cut off; take the base's file and run tools.gate again")
    return entries


def grown_from(base: Revision, text: str) -> list[dict[str, Any]]:
    """Return the entries of the working tree's log; raise StageError unless it is the base's with lines added."""
    before = base.text(LOG) or ""
    verified(before, name=base.name)
    entries = verified(text, name="the working tree")
    if not text.startswith(before):
        raise StageError(f"{LOG}: lines of {base.name} were changed or removed; `git checkout {base.name} -- {LOG}`")
    return entries


def append(entry: dict[str, Any]) -> None:
    """Add an entry to the log in the current folder, chained to the last line."""
    path = Path(LOG)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    previous = digest(text.splitlines()[-1]) if text else FIRST
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(entry | {"previous": previous}, ensure_ascii=False, sort_keys=True) + "\n")
