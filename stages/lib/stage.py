"""Run one stage: bind its function to dvc.yaml and params.yaml, isolate it, publish what it wrote."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, NewType, TypeVar, get_type_hints

from stages.lib.isolation import (
    OFFLINE,
    QUIET,
    StageError,
    die_with_parent,
    lock,
    published,
    ran_out_of_space,
    refuse_network,
)
from stages.lib.launcher import discarded, error_lines, launch, launcher, rank
from stages.lib.params import Strict, read_document, read_params, undeclared

__all__ = ["In", "Out", "StageError", "Strict", "cache_folder", "log", "preflight", "progress", "run"]

In = NewType("In", Path)
Out = NewType("Out", Path)
Item = TypeVar("Item")
log = logging.getLogger("stages")


@dataclass(frozen=True)
class Entry:
    """A stage as dvc.yaml declares it: paths by stem, keys of its parameters."""

    name: str
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    keys: tuple[str, ...]


def run(stage: Callable[..., None], *, network: bool = False, several: bool = False) -> None:
    """Run `stage` as dvc.yaml declares it; exit 1 with a line per error where a failure is expected.

    Only with `network` may it connect to anything but loopback, and only with `several` does it run in the processes of
    the launcher that DIFFERENTIAL_LAUNCHER names: the first of them writes, the others compute with it.
    """
    die_with_parent()
    logging.basicConfig(level=logging.WARNING, format=f"[{stage.__name__}] %(message)s", stream=sys.stderr)
    log.setLevel(logging.ERROR if rank() else logging.INFO)
    os.environ.update(QUIET if network else QUIET | OFFLINE)
    refused = [] if network else refuse_network(stage.__name__)
    try:
        try:
            if several and (command := launcher()):
                _bind(stage)  # what is wrong with the parameters is said once, and at once
                launch(stage.__name__, command)
            else:
                _execute(stage, refused)
        except Exception as error:
            if refused:
                raise StageError(refused[0]) from error
            if ran_out_of_space(error):
                raise StageError(f"no space left on the disk of {Path.cwd()}: free some and run again") from error
            raise
    except StageError as error:
        sys.exit(error_lines(error))


def preflight(params: str = "params.yaml") -> None:
    """Bind every stage of dvc.yaml and build its parameters; raise one StageError with all that is wrong."""
    errors: dict[str, None] = {}
    keys: list[str] = []
    for name in _stages():
        try:
            keys += _entry(name).keys
            _bind(_load(name), params)
        except StageError as error:
            errors.update(dict.fromkeys(str(error).splitlines()))
    errors.update(dict.fromkeys(undeclared(keys, params)))
    if errors:
        raise StageError("\n".join(errors))


def progress(items: Iterable[Item], *, description: str, total: int | None = None) -> Iterator[Item]:
    """Iterate over `items`, with a bar on a terminal once the work has taken 5 s."""
    from tqdm import tqdm

    yield from tqdm(items, desc=description, total=total, delay=5, disable=rank() > 0 or None, leave=False)


def cache_folder(*parts: str) -> Path:
    """Return, and make, a folder below the user's cache for what outlives the workspace."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "differential", *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _execute(stage: Callable[..., None], refused: Sequence[str]) -> None:
    started = time.monotonic()
    entry, arguments = _bind(stage)
    if missing := [str(path) for path in entry.inputs.values() if not path.exists()]:
        raise StageError(f"{entry.name}: missing input {', '.join(missing)}; run `dvc repro {entry.name}`")
    if rank():
        with discarded(entry.name, entry.outputs) as folder:
            return stage(**arguments, **entry.inputs, **folder)
    with lock(entry.name):
        log.info("in: %s", _describe(entry.inputs))
        with published(entry.outputs) as partials:
            stage(**arguments, **entry.inputs, **partials)
            if refused:  # and a library swallowed it
                raise StageError(refused[0])
        log.info("out: %s in %.1f s", _describe(entry.outputs), time.monotonic() - started)


def _bind(stage: Callable[..., None], path: str = "params.yaml") -> tuple[Entry, dict[str, Strict]]:
    entry, hints = _entry(stage.__name__), get_type_hints(stage)
    model = hints.pop("params", None)
    declared = dict.fromkeys(entry.inputs, In) | dict.fromkeys(entry.outputs, Out)
    signed = {name: hints.get(name, "without a type") for name in signature(stage).parameters if name != "params"}
    kinds = {In: "an input (In)", Out: "an output (Out)", None: "missing"}
    errors = [
        f"dvc.yaml: stage '{entry.name}': '{name}' is {kinds[declared.get(name)]} there "
        f"and {kinds.get(signed.get(name), signed.get(name))} in the signature of stages/{entry.name}.py"
        for name in sorted(declared.keys() | signed.keys())
        if declared.get(name) != signed.get(name)
    ]
    if (model is None) == bool(entry.keys):
        errors.append(
            f"dvc.yaml: stage '{entry.name}': `params` must be in both dvc.yaml and the signature, or neither"
        )
    if errors:
        raise StageError("\n".join(errors))
    return entry, {"params": read_params(model, entry.keys, path)} if model else {}


def _load(name: str) -> Callable[..., None]:
    if not Path("stages", f"{name}.py").exists():
        raise StageError(f"dvc.yaml: stage '{name}': stages/{name}.py does not exist")
    stage: Callable[..., None] | None = getattr(importlib.import_module(f"stages.{name}"), name, None)
    if stage is None:
        raise StageError(f"dvc.yaml: stage '{name}': stages/{name}.py has no function '{name}'")
    return stage


def _stages() -> dict[str, Any]:
    stages = read_document("dvc.yaml").get("stages")
    if not isinstance(stages, dict):
        raise StageError("dvc.yaml: has no `stages:`")
    return stages


def _entry(name: str) -> Entry:
    stages = _stages()
    if name not in stages:
        raise StageError(f"dvc.yaml: no stage '{name}'; it has {', '.join(stages)}")
    # An output may carry options (`path: {cache: false}`); a dep under stages/ is code, which no function is handed.
    paths = {
        kind: [Path(next(iter(item)) if isinstance(item, dict) else item) for item in stages[name].get(kind, [])]
        for kind in ("deps", "outs", "metrics", "plots")
    }
    inputs = [path for path in paths["deps"] if path.parts[0] != "stages"]
    outputs = paths["outs"] + paths["metrics"] + paths["plots"]
    stems = Counter(path.stem for path in inputs + outputs)
    if twice := [str(path) for path in inputs + outputs if stems[path.stem] > 1]:
        raise StageError(f"dvc.yaml: stage '{name}': {' and '.join(twice)} share a stem; rename one")
    keys = tuple(stages[name].get("params", []))
    return Entry(name, {path.stem: path for path in inputs}, {path.stem: path for path in outputs}, keys)


def _describe(paths: Mapping[str, Path]) -> str:
    return ", ".join(f"{path} ({_size(path)})" for path in paths.values()) or "nothing"


def _size(path: Path) -> str:
    if path.is_dir():
        return f"{sum(item.is_file() for item in path.rglob('*')):,} files"
    if path.suffix == ".parquet":
        from pyarrow.parquet import read_metadata

        return f"{read_metadata(path).num_rows:,} rows"
    return f"{path.stat().st_size:,} bytes"


if __name__ == "__main__":
    from stages.lib import stage as runner  # the module that the stages import, not this __main__

    try:
        runner.preflight()
    except StageError as error:
        sys.exit(error_lines(error))
