"""Typed parameters: params.yaml in, one frozen model per stage out, every error at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stages.lib.isolation import StageError


class Strict(BaseModel):
    """Parameters: frozen, typed, no unknown key; a field's docstring is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Strict)


def read_document(path: str) -> dict[str, Any]:
    """Read a YAML mapping; raise StageError where it is missing or broken."""
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StageError(f"{path}: not found in {Path.cwd()}; run from the root of the repository") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StageError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise StageError(f"{path}: must be a mapping of keys")
    return document


def read_params(model: type[Model], keys: Iterable[str], path: str = "params.yaml") -> Model:
    """Build `model` from exactly the dotted `keys` of `path`; raise one StageError with a line for every error."""
    document = read_document(path)
    declared: dict[str, Any] = {}
    for key in keys:
        source, target = document, declared
        *parents, last = key.split(".")
        for parent in parents:
            source, target = source.get(parent) or {}, target.setdefault(parent, {})
        if last in source:
            target[last] = source[last]
    try:
        return model.model_validate(declared)
    except ValidationError as error:
        lines = dict.fromkeys(_explain(problem, declared, model) for problem in error.errors())
        raise StageError("\n".join(f"{path}: {line}" for line in lines)) from None


def _explain(problem: Any, value: Any, model: type[BaseModel]) -> str:
    """Say one pydantic error as key, value and what is allowed."""
    key, models, siblings = "", [model], [model]
    for part in problem["loc"]:
        if isinstance(value, list) and isinstance(part, int):
            key, value = f"{key}[{part}]", value[part]
        elif isinstance(value, dict) and not (part not in value and part != problem["loc"][-1]):
            fields = [candidate.model_fields[part] for candidate in models if part in candidate.model_fields]
            key, value, siblings = f"{key}.{part}".lstrip("."), value.get(part), models
            models = [found for field in fields for found in _models(field.annotation)]
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown parameter; choose from {', '.join(dict.fromkeys(n for m in siblings for n in m.model_fields))}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {value!r}: {problem['msg'].removeprefix('Value error, ').removeprefix('Input ')}"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names, within lists and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
