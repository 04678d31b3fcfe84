"""How fast texts are scrubbed beside Presidio's per-document `analyze` and NER alone, in one process and in several."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from benchmarks.deidentifiers import DOCUMENTS_PER_BATCH, KEPT, SCORE_THRESHOLD, Options, analyze_each, load
from stages.lib.phi.ner import find_entities
from stages.lib.phi.policies import Patient
from stages.lib.phi.spans import Span
from stages.lib.phi.work import Settings, scrub_patients
from stages.lib.pool import in_order

Batches = list[list[str]]


def speed(texts: list[str], options: Options, processes: int) -> dict[str, Any]:
    """Print and return documents per second of wall-clock time, CPU seconds and the share of texts with equal spans.

    All have loaded their models and read a batch before. `analyze` searches each text once, with the same spaCy models,
    recognizers and safeguards; `one search` is what this project does for that, and its spans are compared.
    `differential` is the stage's own pool, which searches what it scrubbed again until nothing is found. Token
    classifiers are not part of `analyze`.
    """
    batches = [texts[start : start + DOCUMENTS_PER_BATCH] for start in range(0, len(texts), DOCUMENTS_PER_BATCH)]
    ways: dict[str, Callable[[Batches, int], object]] = {
        "differential": partial(_scrub, options),
        "one search": partial(_each, partial(_find, options)),
        "analyze": partial(_each, partial(_analyze, options)),
        "NER only": partial(_each, partial(_entities, options)),
    }
    figures: dict[str, Any] = {}
    for name, run in ways.items():
        run(batches[:1], 1)
        for count in (1, processes):
            started, before = time.perf_counter(), _cpu_seconds()
            run(batches, count)
            seconds, spent = time.perf_counter() - started, _cpu_seconds() - before
            figures[f"{name}, {count}"] = {
                "documents_per_second": round(len(texts) / seconds, 1),
                "cpu_seconds": round(spent, 2),
            }
    figures["same spans"] = _same_spans(batches, options)
    _print(figures, processes)
    return figures


def _scrub(options: Options, batches: Batches, processes: int) -> None:
    settings = Settings(*options, SCORE_THRESHOLD, KEPT, "redact", None)
    tasks = (
        (None, [Patient(f"{row}-{place}", [text], [None]) for place, text in enumerate(batch)])
        for row, batch in enumerate(batches)
    )
    for _ in in_order(partial(scrub_patients, settings), tasks, workers=processes, stage="scrub"):
        pass


def _each(work: Callable[[list[str]], list[list[Span]]], batches: Batches, processes: int) -> None:
    if processes == 1:
        for batch in batches:
            work(batch)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        for _ in pool.map(work, batches):
            pass


def _find(options: Options, texts: list[str]) -> list[list[Span]]:
    return load(options).find(texts)


def _analyze(options: Options, texts: list[str]) -> list[list[Span]]:
    return [analyze_each(options)(text) for text in texts]


def _entities(options: Options, texts: list[str]) -> list[list[Span]]:
    return find_entities(load(options).models, texts)


def _same_spans(batches: Batches, options: Options) -> float:
    """Return the share of texts in which ours and `analyze` find the same entities at the same places."""
    pairs = [pair for batch in batches for pair in zip(_find(options, batch), _analyze(options, batch), strict=True)]
    return sum(_places(ours) == _places(theirs) for ours, theirs in pairs) / len(pairs)


def _places(spans: Sequence[Span]) -> list[tuple[int, int, str]]:
    return [span[:3] for span in spans]


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _print(figures: dict[str, Any], processes: int) -> None:
    ours, others = ("differential", "one search"), ("analyze", "NER only")
    print("\n| way, processes | documents/s | CPU seconds |\n| --- | --- | --- |")
    for way in (f"{name}, {count}" for name in (*ours, *others) for count in (1, processes)):
        print(f"| {way} | {figures[way]['documents_per_second']} | {figures[way]['cpu_seconds']} |")
    beside = [f"{name}, {count}" for name in others for count in (1, processes)]
    print(f"\n| documents/s of | {' | '.join(f'over {way}' for way in beside)} |\n{'| --- ' * 5}|")
    for way in (f"{name}, {count}" for name in ours for count in (1, processes)):
        rate = figures[way]["documents_per_second"]
        ratios = [f"{rate / figures[other]['documents_per_second']:.2f}" for other in beside]
        print(f"| {way} | {' | '.join(ratios)} |")
    print(f"\nspans of one search equal to analyze's: {100 * figures['same spans']:.2f} % of texts")
