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

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=Strict)


def read_document(path: str) -> dict[str, Any]:
    """Read a YAML mapping; raise StageError where it is missing or broken."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            document = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # the C one is 8 x as fast
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
        for depth, parent in enumerate(parents, start=1):
            if not isinstance(source := source.get(parent, {}), dict):
                raise StageError(f"{path}: {'.'.join(parents[:depth])}: {source!r}: must be a mapping of keys")
            target = target.setdefault(parent, {})
        if last in source:
            target[last] = source[last]
    try:
        return model.model_validate(declared)
    except ValidationError as error:
        raise StageError("\n".join(f"{path}: {line}" for line in _explain(error, declared, model))) from None


def undeclared(keys: Iterable[str], path: str = "params.yaml") -> list[str]:
    """Return an error for every key of `path` that is neither among the dotted `keys` nor within or around one."""
    known = set(keys)

    def walk(document: dict[str, Any], prefix: str) -> Iterator[str]:
        for name, value in document.items():
            key = f"{prefix}{name}"
            around = any(other.startswith(f"{key}.") for other in known)
            if key in known:
                continue
            if around and isinstance(value, dict):
                yield from walk(value, f"{key}.")
            elif not around:
                yield f"{path}: {key}: no stage declares it; choose from {', '.join(sorted(known))}"

    return list(walk(read_document(path), ""))


def _explain(error: ValidationError, declared: dict[str, Any], model: type[BaseModel]) -> list[str]:
    """Say each error as key, value and what is allowed; what several members of a union say becomes one line."""
    said: dict[str, list[str]] = {}
    for problem in error.errors():
        key, value, siblings, models = _locate(problem, declared, model)
        label = f"{key}: " if key else ""
        if problem["type"] == "extra_forbidden":
            message = f"unknown parameter; choose from {_fields(siblings)}"
        elif problem["type"] == "missing":
            message = "missing"
        elif problem["type"] in {"model_type", "dict_type"}:
            label, message = (
                f"{label}{value!r:.80}: ",
                f"must be a mapping {_fields(models) and 'of ' + _fields(models)}",
            )
        else:
            label = f"{label}{value!r:.80}: " if key else ""
            message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        if message not in said.setdefault(label, []):
            said[label].append(message)
    return [label + " or ".join(messages) for label, messages in said.items()]


def _locate(problem: Any, value: Any, model: type[BaseModel]) -> tuple[str, Any, list[Any], list[Any]]:
    """Return an error's key as YAML has it, the value there, the models that hold the key and those of the value.

    pydantic's location also names members of unions and validators, which no YAML holds: they are left out.
    """
    key, siblings, models = "", [model], [model]
    for position, part in enumerate(problem["loc"], start=1):
        last = position == len(problem["loc"])
        fields = [found.model_fields[part] for found in models if part in found.model_fields]
        if isinstance(part, int) and isinstance(value, list):
            key, value = f"{key}[{part}]", value[part]
        elif not isinstance(value, dict) or (part not in value and not (last and problem["type"] == "missing")):
            continue
        elif not last and fields and _is_beside(problem["loc"][position], value, models):
            continue  # the tag of a union, which is the name of one of its fields too
        else:
            key, value, siblings = f"{key}.{part}".lstrip("."), value.get(part), models
            if fields:
                models = [found for field in fields for found in _models(field.annotation)]
    return key, value, siblings, models


def _is_beside(key: Any, value: dict[str, Any], models: Iterable[type[BaseModel]]) -> bool:
    return key in value or any(key in model.model_fields for model in models)


def _fields(models: Iterable[type[BaseModel]]) -> str:
    return ", ".join(dict.fromkeys(name for model in models for name in model.model_fields))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names, within lists and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
