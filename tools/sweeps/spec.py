"""The specification of a sweep: a small YAML file in, the points that it asks for out."""

from __future__ import annotations

import math
from itertools import product
from random import Random
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from stages.lib.params import Strict

FOLD = "split.fold"
DIGITS = 4  # of a number that is drawn

Value = str | int | float | bool | None
Point = dict[str, Any]
Bounds = tuple[float, float]


def _rise(bounds: Bounds) -> Bounds:
    if not bounds[0] < bounds[1]:
        raise ValueError("the first number must be the smaller one")
    return bounds


class Uniform(Strict):
    """A range, every number of which is as likely."""

    uniform: Bounds
    """Lowest and highest."""

    _rises = field_validator("uniform")(_rise)

    def draw(self, random: Random) -> float:
        """Return a number of the range."""
        return random.uniform(*self.uniform)


class LogUniform(Strict):
    """A range, every order of magnitude of which is as likely."""

    log_uniform: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    """Lowest and highest."""

    _rises = field_validator("log_uniform")(_rise)

    def draw(self, random: Random) -> float:
        """Return a number of the range."""
        return math.exp(random.uniform(*map(math.log, self.log_uniform)))


def _kind(given: Any) -> str | None:
    if isinstance(given, list):
        return "values"
    return next((kind for kind in ("uniform", "log_uniform") if isinstance(given, dict) and kind in given), None)


Swept = Annotated[
    Annotated[list[Value | list[Value]], Tag("values")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("log_uniform")],
    Discriminator(
        _kind,
        custom_error_type="swept",
        custom_error_message="should be a list of values, {uniform: [low, high]} or {log_uniform: [low, high]}",
    ),
]


class Spec(Strict):
    """What is swept, and by what the points are ranked."""

    parameters: dict[str, Swept] = Field(min_length=1)
    """By key of params.yaml: values, or a range that is drawn from."""
    runs: int | None = Field(default=None, ge=1, le=10_000)
    """Points that are drawn, each of them for every fold; without it every combination is run."""
    seed: int | None = Field(default=None, ge=0)
    """Seed of what is drawn."""
    metric: Literal["validation_log_loss", "validation_accuracy", "validation_macro_f1"]
    """The metric of metrics/training.json by which points are ranked."""

    @field_validator("parameters")
    @classmethod
    def _distinct(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        for key, values in parameters.items():
            if isinstance(values, list) and (not values or len({repr(value) for value in values}) < len(values)):
                raise ValueError(f"{key} must have values, each of them once")
        if isinstance(parameters.get(FOLD, []), Strict):
            raise ValueError(f"{FOLD} must be a list of folds")
        return parameters

    @model_validator(mode="after")
    def _drawn_by_seed(self) -> Self:
        if self.runs is None and (ranges := [key for key in self.parameters if not self.values(key)]):
            raise ValueError(f"runs is missing: {', '.join(ranges)} cannot be run in every combination")
        if (self.runs is None) != (self.seed is None):
            raise ValueError("runs and seed go together: both for points that are drawn, none for all combinations")
        return self

    def values(self, key: str) -> list[Any]:
        """Return the values of a parameter, none for a range."""
        found = self.parameters[key]
        return found if isinstance(found, list) else []


def points(spec: Spec) -> list[Point]:
    """Return the points in the order in which they are run: those of one draw, or combination, by fold."""
    drawn = [key for key in spec.parameters if key != FOLD]
    combinations = [dict(zip(drawn, values, strict=True)) for values in product(*map(spec.values, drawn))]
    if spec.runs is not None:
        random, lists = Random(spec.seed), all(spec.values(key) for key in drawn)
        if lists:
            combinations = random.sample(combinations, min(spec.runs, len(combinations)))
        else:
            combinations = [_draw(spec, drawn, random) for _ in range(spec.runs)]
    folds = [{FOLD: fold} for fold in spec.values(FOLD)] if FOLD in spec.parameters else [{}]
    return [combination | fold for combination in combinations for fold in folds]


def _draw(spec: Spec, keys: list[str], random: Random) -> Point:
    found: Point = {}
    for key in keys:
        given = spec.parameters[key]
        found[key] = random.choice(given) if isinstance(given, list) else float(f"{given.draw(random):.{DIGITS}g}")
    return found


def label(point: Point) -> str:
    """Return a point in words."""
    return ", ".join(f"{key}={override(value)}" for key, value in point.items())


def override(value: Any) -> str:
    """Return a value as `dvc exp run -S` reads it."""
    if isinstance(value, list):
        return f"[{','.join(map(override, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)
