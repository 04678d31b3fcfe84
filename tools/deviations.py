"""How far two versions of a metrics file are apart, and what of this machine may be the reason."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def deviation(before: str, after: str, *, path: str) -> str:
    """Say how many values of a JSON or CSV file differ, and which number most; text other than numbers is not shown."""
    if Path(path).suffix not in {".json", ".csv"}:
        return "not a table of numbers"
    old, new = values(before, path=path), values(after, path=path)
    changed = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    counted = f"{len(changed):,} of {len(old.keys() | new.keys()):,} values"
    numbers = {name: (number(old.get(name)), number(new.get(name))) for name in sorted(changed)}
    pairs = {name: (one, other) for name, (one, other) in numbers.items() if one is not None and other is not None}
    if not pairs:
        return counted
    most = max(pairs, key=lambda name: abs(pairs[name][1] - pairs[name][0]))
    one, other = pairs[most]
    return f"{counted}, most {most}: {one:g} → {other:g} ({other - one:+g})"


def values(text: str, *, path: str) -> dict[str, Any]:
    """Return every value of a JSON or CSV file by a name: its keys, or its line and column."""
    if path.endswith(".json"):
        return dict(flattened(json.loads(text)))
    rows = csv.DictReader(io.StringIO(text))
    return {f"line {line}, {column}": value for line, row in enumerate(rows, start=2) for column, value in row.items()}


def flattened(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a JSON document by the path of keys that leads to them."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from flattened(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def number(value: Any) -> float | None:
    """Return a value as a number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def machine(locked: Path) -> list[str]:
    """Say what of this machine decides on the last digits: processor, kernels of torch, packages not as locked."""
    import torch

    features = torch.cpu.get_capabilities()
    has = [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "bf16", "sve") if features.get(name)]
    processor = f"{features.get('cpu_name', '?')} ({', '.join([platform.machine(), *has])})"
    kernels = f"torch {torch.__version__} with kernels for {torch.backends.cpu.get_cpu_capability()}"
    lines = [f"here: {processor}, {kernels}, Python {platform.python_version()}"]
    if others := list(not_as_locked(locked)):
        lines.append(f"not as locked: {', '.join(others)}")
    reason = "from `train` and `baselines` on, another type of CPU, a GPU or other packages change the last digits"
    return [*lines, f"{reason}; docs/sharing.md says how far"]


def not_as_locked(locked: Path) -> Iterator[str]:
    """Yield the installed packages whose version is not the locked one."""
    for line in locked.read_text().splitlines():
        if "==" not in line:
            continue
        name, _, wanted = line.partition(" ;")[0].partition("==")
        try:
            here = version(name).partition("+")[0]  # a build's own suffix says what it was built for
        except PackageNotFoundError:
            continue
        if here != wanted:
            yield f"{name} {here} instead of {wanted}"
