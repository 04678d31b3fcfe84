"""Print what de-identification leaves, what it changes without need, and its speed: `python -m benchmarks.scrub FILE`.

FILE holds JSON lines {text, spans: [{start, end, type}]}. Beside this project stand stock Presidio with each NER model
and, where they are installed, philter-lite and scrubadub. Needs models/ner and data/ontology (`dvc repro fetch`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.deidentifiers import Options, Ranges, System, differential, philter, scrubadub, stock
from benchmarks.speed import speed
from stages.lib.phi.ner import pipeline_folders
from stages.lib.phi.spans import Span


class Text(NamedTuple):
    """A text and its gold spans."""

    text: str
    spans: list[Span]


def read(path: Path, rows: slice, ignored: Sequence[str]) -> list[Text]:
    """Return the texts of `rows`; spans of `ignored` types, and those that lie outside their text, are left out."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Text(
            record["text"],
            [
                Span(span["start"], span["end"], span["type"])
                for span in record.get("spans", [])
                if 0 <= span["start"] < span["end"] <= len(record["text"]) and span["type"] not in ignored
            ],
        )
        for record in records[rows]
    ]


def measure(texts: Sequence[Text], found: Iterable[Ranges]) -> dict[str, Any]:
    """Return the shares that the table shows; a gold span counts as recalled when no character of it is left."""
    characters: Counter[str] = Counter()
    spans: Counter[str] = Counter()
    recalled: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for (text, gold), ranges in zip(texts, found, strict=True):
        covered = {place for start, end in ranges for place in range(start, end)}
        there = {place for start, end, *_ in gold for place in range(start, end) if not text[place].isspace()}
        characters.update(gold=len(there), left=len(there - covered))
        kind = "gold" if gold else "clean"
        documents.update({kind: 1, f"{kind} touched": bool(there - covered if gold else ranges)})
        for start, end, entity, *_ in gold:
            spans[entity] += 1
            recalled[entity] += all(place in covered for place in range(start, end) if not text[place].isspace())
        hits = sum(any(place in there for place in range(start, end)) for start, end in ranges)
        characters.update(found=len(ranges), hits=hits)
    return {
        "leaked_characters": _share(characters["left"], characters["gold"]),
        "leaking_documents": _share(documents["gold touched"], documents["gold"]),
        "recall": _share(recalled.total(), spans.total()),
        "precision": _share(characters["hits"], characters["found"]),
        "changed_clean_texts": _share(documents["clean touched"], documents["clean"]),
        "recall_by_type": {entity: _share(recalled[entity], count) for entity, count in sorted(spans.items())},
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


def main() -> None:
    """Measure every system that can be loaded and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--ner", type=Path, default=Path("models/ner"))
    parser.add_argument("--ontology", type=Path, default=Path("data/ontology"))
    parser.add_argument("--rows", default="::", help="a slice of the rows, such as 1::2 for every other one")
    parser.add_argument("--ignore", nargs="*", default=[], help="types of gold spans that are no PHI")
    parser.add_argument("--only", action="store_true", help="measure this project alone")
    parser.add_argument("--speed", type=int, default=0, metavar="N", help="compare speeds on the first N texts")
    parser.add_argument("--processes", type=int, default=2, help="how many of them --speed compares with one")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON in the last line")
    given = parser.parse_args()
    options = Options(given.ner, given.ontology)
    rows = slice(*(int(part) if part else None for part in given.rows.split(":")))
    texts = read(given.file, rows, given.ignore)
    systems: dict[str, Callable[[], System]] = {"differential": lambda: differential(options)}
    if not given.only:
        for folder in pipeline_folders(options.ner):
            systems[f"presidio ({folder.name})"] = lambda folder=folder: stock(folder)  # type: ignore[misc]
        for name, peer in (("philter_lite", philter), ("scrubadub", scrubadub)):
            if importlib.util.find_spec(name):
                systems[name] = lambda peer=peer: peer(options)  # type: ignore[misc]
            else:
                print(f"{name}: not installed, left out", file=sys.stderr)
    report: dict[str, Any] = {}
    for name, make in systems.items():
        try:
            find = make()
            find([text for text, _ in texts[:8]])
        except LookupError:  # NLTK's, for data that it would download
            print(f"{name}: lacks its NLTK data, left out", file=sys.stderr)
            continue
        started = time.perf_counter()
        found = find([text for text, _ in texts])
        report[name] = measure(texts, found) | {
            "documents_per_second": round(len(texts) / (time.perf_counter() - started), 1)
        }
    _print(report)
    if given.speed:
        report["differential"]["speed"] = speed([text for text, _ in texts[: given.speed]], options, given.processes)
    if given.json:
        print(json.dumps(report))


def _print(report: dict[str, Any]) -> None:
    columns = ["leaked_characters", "leaking_documents", "recall", "precision", "changed_clean_texts"]
    print(f"| system | {' | '.join(name.replace('_', ' ') for name in columns)} | documents/s |")
    print("| --- " * (len(columns) + 2) + "|")
    for name, figures in report.items():
        cells = ["-" if figures[column] is None else f"{100 * figures[column]:.2f} %" for column in columns]
        print(f"| {name} | {' | '.join(cells)} | {figures['documents_per_second']} |")
    print(f"\n| recall by type | {' | '.join(report)} |\n{'| --- ' * (len(report) + 1)}|")
    for entity in report["differential"]["recall_by_type"]:
        cells = [f"{100 * figures['recall_by_type'][entity]:.1f} %" for figures in report.values()]
        print(f"| {entity} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
