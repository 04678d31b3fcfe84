"""Write a comparison as Markdown for a pull request: the verdict, the headline, then what is folded away."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stages.lib.report.markdown import table
from tools.review.change import Change
from tools.review.comparison import Comparison, Mover

NAMES = {
    "accuracy": "accuracy %",
    "balanced_accuracy": "balanced accuracy %",
    "top_3_accuracy": "top-3 accuracy %",
    "macro_f1": "macro-F1 %",
    "macro_auc_roc": "AUC-ROC",
    "worst_group_accuracy": "accuracy in the worst subgroup %",
    "log_loss": "log loss ↓",
    "brier_score": "Brier score ↓",
    "expected_calibration_error": "calibration error ↓",
}


def page(found: Comparison, *, shown: int) -> str:
    """Return the page; of each list, `shown` entries at most."""
    sections = [
        f"**{verdict(found)}**",
        basis(found),
        headline(found.metrics),
        "Brackets hold the 95 % interval of the difference, by a bootstrap over independent groups; p is corrected for "
        "the number of metrics (Holm). ↓: lower is better.",
        summary(found),
        _folded(f"Cases: {len(found.broken)} broken, {len(found.fixed)} fixed", _swapped(found, shown)),
        _folded("Diagnoses that moved", _movers(found.diagnoses, shown)),
        _folded("Subgroups that moved", _movers(found.subgroups, shown)),
        _folded("Data of the test split", _data(found, shown)),
        _folded("Parameters", _differences(found.params, "parameter", shown)),
        _folded("Code, outputs, commits", _code(found, shown)),
        *(
            _folded(f"metrics/{name}.json: {len(values)} values differ", _differences(values, "metric", shown))
            for name, values in found.evidence.items()
        ),
        _folded("What is not there to compare", _missing(found)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def verdict(found: Comparison) -> str:
    """Return the one sentence that a reviewer needs."""
    head, base = escape(found.head.name), escape(found.base.name)
    said = {
        word: ", ".join(_gain(name, found.metrics[name]) for name in names) for word, names in _moved(found).items()
    }
    if said["worse"] and said["better"]:
        return f"Mixed: {head} is significantly worse than {base} in {said['worse']}; better in {said['better']}."
    for word, names in said.items():
        if names:
            return f"{head} is significantly {word} than {base} in {names}."
    if found.pairing.ids and all(change.delta == 0 for change in found.metrics.values()) and not found.broken:
        return f"{head} answers like {base}: no headline metric differs."
    accuracy = _gain("accuracy", found.metrics["accuracy"])
    return f"No headline metric of {head} differs significantly from {base}'s: {accuracy}."


def basis(found: Comparison) -> str:
    """Say which cases the figures are of, and how the test sets differ."""
    pairing, head = found.pairing, found.cases("head")
    differ = {"added": pairing.added, "removed": pairing.removed, "relabelled": pairing.relabelled}
    told = ", ".join(f"{len(ids):,} {word}" for word, ids in differ.items() if ids)
    if not pairing.ids:
        return f"No test case is common: {found.cases('base'):,} cases against {head:,} others, compared unpaired."
    groups = len(set(pairing.head["group"]))
    same = f"{len(pairing.ids):,} paired test cases in {groups:,} independent groups"
    return (
        f"{same}; the test sets differ ({told}), and what is common is compared." if told else f"{same}, the same set."
    )


def summary(found: Comparison) -> str:
    """Say how much else differs, in one line."""
    counts = {"parameter": found.params, "code file": found.code, "output": found.outputs, "commit": found.commits}
    told = [f"{len(items)} {word}{'' if len(items) == 1 else 's'}" for word, items in counts.items()]
    return f"Between them: {', '.join(told)}; label drift of the test split {found.drift:.4f}."


def headline(metrics: Mapping[str, Change]) -> str:
    """Return the table of metrics: before, after, difference, interval, p."""
    rows = []
    for name, change in metrics.items():
        interval = (
            f" [{_number(name, change.low, '+')}, {_number(name, change.high, '+')}]" if change.p is not None else ""
        )
        sign = ("❌ worse" if change.worse(name) else "✅ better") if change.significant() else ""
        numbers = [_number(name, change.base), _number(name, change.head), _number(name, change.delta, "+") + interval]
        rows.append([NAMES[name], *numbers, _p(change), sign])
    return table(["metric", "before", "after", "difference", "p", ""], rows)


def escape(text: str) -> str:
    """Return a text of others as one that neither breaks a table nor calls, links or formats."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return plain.replace("@", "&#64;").replace("|", "&#124;").replace("[", "&#91;").replace("`", "&#96;")


def code(value: Any) -> str:
    """Return a value as code within a table."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"<code>{escape(text)}</code>"


def _moved(found: Comparison) -> dict[str, list[str]]:
    return {"worse": found.worse(), "better": found.better()}


def _gain(name: str, change: Change) -> str:
    label = NAMES[name].removesuffix(" ↓").removesuffix(" %")
    unit = " points" if NAMES[name].endswith("%") else ""
    interval = f" [{_number(name, change.low, '+')}, {_number(name, change.high, '+')}]"
    return f"{label} ({_number(name, change.delta, '+')}{unit}{interval}, p {_p(change)})"


def _number(name: str, value: float | None, sign: str = "") -> str:
    if value is None:
        return ""
    scaled, digits = (100 * value, 1) if NAMES[name].endswith("%") else (value, 3)
    return f"{scaled + 0.0:{sign}.{digits}f}"


def _p(change: Change) -> str:
    p = change.p_adjusted
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""


def _movers(movers: Sequence[Mover], shown: int) -> str:
    moved = [mover for mover in movers if mover.recall.delta or mover.broken]
    rows = [
        [
            escape(mover.group if mover.attribute == "diagnosis" else f"{mover.attribute}: {mover.group}"),
            str(mover.cases),
            f"{100 * mover.recall.base:.1f}",
            f"{100 * mover.recall.head:.1f}",
            f"{100 * mover.recall.delta:+.1f}",
            *("" if count is None else str(count) for count in (mover.broken, mover.fixed)),
            _p(mover.recall),
        ]
        for mover in moved[:shown]
    ]
    if not rows:
        return ""
    columns = ["", "cases", "recall % before", "after", "difference", "broken", "fixed", "p"]
    return _more(table(columns, rows), len(moved) - shown)


def _swapped(found: Comparison, shown: int) -> str:
    parts = {"Broken": found.broken, "Fixed": found.fixed}
    return "\n\n".join(f"{word}: {_listed(ids, shown)}" for word, ids in parts.items() if ids)


def _data(found: Comparison, shown: int) -> str:
    pairing = found.pairing
    rows = [[word, f"{found.cases(side):,}"] for side, word in (("base", "test cases before"), ("head", "after"))]
    sets = {"added": pairing.added, "removed": pairing.removed, "relabelled": pairing.relabelled}
    rows += [[word, f"{len(ids):,}" + (f": {_listed(ids, shown)}" if ids else "")] for word, ids in sets.items()]
    differing = {name: dict(pair) for name, pair in found.counts.items() if pair["base"] != pair["head"]}
    splits = {key: values for key, values in found.evidence.get("splits", {}).items() if key.startswith("records.")}
    parts = [table(["test split", ""], rows), _differences(splits, "split", shown)]
    return "\n\n".join(part for part in [*parts, _differences(differing, "test cases of", shown)] if part)


def _code(found: Comparison, shown: int) -> str:
    rows = [[code(path), ", ".join(stages)] for path, stages in list(found.code.items())[:shown]]
    parts = [_more(table(["file", "stages that depend on it"], rows), len(found.code) - shown)] if rows else []
    parts += [f"Stages: {', '.join(found.stages)}"] if found.stages else []
    parts += [f"Outputs with other content: {_listed(found.outputs, shown)}"] if found.outputs else []
    if found.commits:
        lines = "\n".join(f"- {code(commit)}" for commit in found.commits[:shown])
        parts.append(_more(lines, len(found.commits) - shown))
    return "\n\n".join(parts)


def _differences(found: Mapping[str, Mapping[str, Any]], what: str, shown: int) -> str:
    sides = [[code(values[side]) if side in values else "—" for side in ("base", "head")] for values in found.values()]
    rows = [[code(key), *values] for key, values in zip(found, sides, strict=True)]
    return _more(table([what, "before", "after"], rows[:shown]), len(rows) - shown) if rows else ""


def _missing(found: Comparison) -> str:
    return "\n".join(f"- {escape(name)}: {escape(note)}" for name, notes in found.missing.items() for note in notes)


def _listed(ids: Iterable[str], shown: int) -> str:
    names = list(ids)
    return ", ".join(map(code, names[:shown])) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _more(text: str, count: int) -> str:
    return f"{text}\n\n… and {count} more" if count > 0 else text
