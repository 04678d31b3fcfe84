"""What a sweep will run: points in, each with its name, checked; and the stages that all of them share."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stages.lib.params import read_document, read_params
from stages.lib.stage import StageError, preflight
from stages.lib.tree import tree_sha256
from tools.sweeps.spec import Point, Spec, label, override

TARGET = "train"  # and no stage behind it: the test split stays untouched
OUTPUTS = ("outs", "metrics", "plots")


@dataclass(frozen=True)
class Run:
    """A point, and the name of its experiment, which is a function of all that its result depends on."""

    name: str
    point: Point

    @property
    def overrides(self) -> list[str]:
        """Return what `dvc exp run -S` takes."""
        return [f"{key}={override(value)}" for key, value in self.point.items()]


class Pipeline:
    """The stages that lead to TARGET, as dvc.yaml declares them."""

    def __init__(self) -> None:
        stages = read_document("dvc.yaml")["stages"]
        producers = {path: name for name, stage in stages.items() for path in _paths(stage, *OUTPUTS)}
        self.stages: dict[str, Any] = {}
        queue = [TARGET]
        while queue:
            name = queue.pop()
            self.stages[name] = stages[name]
            queue += {producers[path] for path in _paths(stages[name], "deps") if path in producers} - {*self.stages}
        self.before = {
            name: {producers[path] for path in _paths(stage, "deps") if path in producers}
            for name, stage in self.stages.items()
        }
        deps = {path for stage in self.stages.values() for path in _paths(stage, "deps")}
        self.roots = sorted(deps - producers.keys())
        self.keys = sorted({key for stage in self.stages.values() for key in stage.get("params", [])})

    def reads(self, key: str) -> bool:
        """Tell whether any of the stages depends on a parameter."""
        return any(_overlap(key, other) for other in self.keys)

    def shared(self, swept: Iterable[str]) -> list[str]:
        """Return the last stages that give the same for every value of the swept parameters."""
        swept = list(swept)
        own = {
            name
            for name, stage in self.stages.items()
            if any(_overlap(key, other) for key in swept for other in stage.get("params", []))
        }
        while more := {name for name, before in self.before.items() if before & own} - own:
            own |= more
        same = self.stages.keys() - own
        behind = {earlier for name in same for earlier in self.before[name]}
        return sorted(same - behind)

    def digest(self, params: dict[str, Any]) -> str:
        """Return a hash of code, data that a person brings, and the parameters of these stages."""
        roots = {path: tree_sha256(Path(path), path) for path in _files(self.roots)}
        values = {key: _value(params, key) for key in self.keys}
        known = json.dumps([self.stages, roots, values], sort_keys=True, default=str)
        return hashlib.sha256(known.encode()).hexdigest()


def read_spec(path: Path, pipeline: Pipeline) -> Spec:
    """Read a specification; raise StageError with a line for every error."""
    document, given = read_document(str(path)), read_document("params.yaml")
    parameters, errors = document.get("parameters"), []
    for key in map(str, parameters if isinstance(parameters, dict) else []):
        if not _exists(given, key):
            errors.append(f"{path}: parameters: {key}: params.yaml has no such parameter")
        elif not pipeline.reads(key):
            errors.append(
                f"{path}: parameters: {key}: nothing up to '{TARGET}' depends on it; choose from "
                f"{', '.join(pipeline.keys)}"
            )
    try:
        spec = read_params(Spec, document, str(path))
    except StageError as error:
        raise StageError("\n".join([*str(error).splitlines(), *errors])) from None
    if errors:
        raise StageError("\n".join(errors))
    return spec


def plan(points: list[Point], pipeline: Pipeline, *, prefix: str) -> list[Run]:
    """Name every point; raise StageError with all that is wrong with their parameters, before anything runs."""
    given, errors = read_document("params.yaml"), dict[str, list[str]]()
    documents = [changed(given, point) for point in points]
    for point, document in zip(points, documents, strict=True):
        for line in check(document):
            errors.setdefault(line, []).append(label(point))
    if errors:
        raise StageError("\n".join(f"{line}{_where(labels, len(points))}" for line, labels in errors.items()))
    stem = re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-") or "sweep"
    return [
        Run(f"{stem}-{pipeline.digest(document)[:10]}", point)
        for point, document in zip(points, documents, strict=True)
    ]


def check(params: dict[str, Any]) -> list[str]:
    """Return what the stages say is wrong with these parameters."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        path.write_text(yaml.safe_dump(params), encoding="utf-8")
        try:
            preflight(str(path))
        except StageError as error:
            return [line.replace(f"{path}: ", "") for line in str(error).splitlines()]
    return []


def changed(params: dict[str, Any], point: Point) -> dict[str, Any]:
    """Return the parameters with a point's values in place."""
    found = copy.deepcopy(params)
    for key, value in point.items():
        *parents, last = key.split(".")
        target = found
        for parent in parents:
            target = target[parent]
        target[last] = value
    return found


def _where(labels: list[str], count: int) -> str:
    """Say which points an error is of, unless it is of all."""
    if len(labels) in {0, count}:
        return ""
    return f" (at {labels[0]}{f' and {len(labels) - 1} more points' if len(labels) > 1 else ''})"


def _exists(params: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(params, dict) or part not in params:
            return False
        params = params[part]
    return True


def _value(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params.get(part) if isinstance(params, dict) else None
    return params


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _paths(stage: dict[str, Any], *kinds: str) -> list[str]:
    return [next(iter(item)) if isinstance(item, dict) else item for kind in kinds for item in stage.get(kind, [])]


def _files(paths: Iterable[str]) -> Iterator[str]:
    """Yield the files at and below the paths but what Python compiled and what DVC ignores."""
    for path in paths:
        for found in sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]:
            if found.is_file() and "__pycache__" not in found.parts and found.name not in {"README.md", ".gitignore"}:
                yield str(found)
