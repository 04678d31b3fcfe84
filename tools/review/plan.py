"""The change plan: what may change without asking anyone, and what each change has to show (change_plan.yaml)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import yaml
from pydantic import Discriminator, Field, JsonValue, Tag, ValidationError, model_validator

from stages.lib.stage import StageError, Strict
from tools.review.change import LOWER_IS_BETTER, Change
from tools.review.comparison import Comparison

PLAN = "change_plan.yaml"
NAMED = 5  # diagnoses that a rule's evidence names


class Range(Strict):
    """A parameter that may take any number between two."""

    low: float
    """The least."""
    high: float
    """The most."""

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    def allows(self, value: Any) -> bool:
        """Say whether a value lies within; `1e-5` is a string in YAML 1.1 and counts as its number."""
        try:
            return not isinstance(value, bool) and self.low <= float(value) <= self.high
        except (TypeError, ValueError):
            return False

    def __str__(self) -> str:
        """Return the bounds."""
        return f"{self.low:g} to {self.high:g}"


class Choices(Strict):
    """A parameter that may take one of some values."""

    choices: list[JsonValue] = Field(min_length=1)
    """All that are allowed."""

    def allows(self, value: Any) -> bool:
        """Say whether a value is among them; true is not 1."""
        return any(choice == value and type(choice) is type(value) for choice in self.choices)

    def __str__(self) -> str:
        """Return the values."""
        return ", ".join(json.dumps(choice, ensure_ascii=False) for choice in self.choices)


def _kind(bounds: Any) -> str:
    return "choices" if isinstance(bounds, Choices) or (isinstance(bounds, dict) and "choices" in bounds) else "range"


Bounds = Annotated[Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")], Discriminator(_kind)]
Margin = Annotated[float, Field(ge=0)]


class DataRules(Strict):
    """How far the test data may change."""

    labels: Literal["fixed", "may_grow"]
    """Whether diagnoses may be added to the test split; none may ever go."""
    max_label_drift: float = Field(ge=0, le=1)
    """Jensen-Shannon divergence of the test split's diagnoses, in bits."""
    min_test_cases: int = Field(ge=1)
    """Cases of the test split."""
    max_test_rows_changed: float = Field(ge=0, le=1)
    """Cases added, removed or relabelled, as a share of the test cases before."""


class Margins(Strict):
    """Non-inferiority margins: how far the unfavourable bound of the paired 95 % interval may lie on the wrong side."""

    accuracy: Margin
    """Share of the cases."""
    macro_f1: Margin
    """Mean over the diagnoses."""
    log_loss: Margin
    """Natural logarithm."""
    expected_calibration_error: Margin
    """Probability."""
    worst_group_accuracy: Margin
    """Share of the cases of the subgroup that fares worst: its recall, averaged over cases."""
    leak: Margin
    """Share of PHI characters left after `scrub`: the upper bound after, above the value before."""


class Overrides(Strict):
    """Who may accept what the plan refuses."""

    who: list[str] = Field(min_length=1)
    """Names or roles."""
    reason_words: int = Field(ge=1)
    """Words that a reason has at least."""


class ChangePlan(Strict):
    """A predetermined change control plan."""

    parameters: dict[str, Bounds]
    """Dotted keys of params.yaml that may change, each within bounds; every other key is outside the plan."""
    data: DataRules
    """See there."""
    margins: Margins
    """See there."""
    overrides: Overrides
    """See there."""


@dataclass(frozen=True)
class Rule:
    """A rule of the plan, whether the change keeps it, and by which figures."""

    name: str
    kept: bool
    evidence: str


def parse_plan(text: str, *, name: str) -> ChangePlan:
    """Return the plan; raise one StageError with a line for every error."""
    try:
        document = yaml.safe_load(text)
        return ChangePlan.model_validate(document if isinstance(document, dict) else {})
    except yaml.YAMLError as error:
        raise StageError(f"{name}: {PLAN}: is not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        places = [(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors(include_url=False)]
        raise StageError("\n".join(f"{name}: {PLAN}: {key}: {message}" for key, message in places)) from None


def judge(plan: ChangePlan, found: Comparison) -> list[Rule]:
    """Return every rule of the plan with its evidence in a comparison."""
    margins = plan.margins.model_dump(exclude={"leak"})
    return [
        *_parameters(plan, found),
        *_data(plan.data, found),
        *(_not_inferior(name, margin, found.metrics.get(name)) for name, margin in margins.items()),
        _leak(plan.margins.leak, found),
    ]


def _parameters(plan: ChangePlan, found: Comparison) -> list[Rule]:
    rules = []
    for key, values in found.params.items():
        bounds = plan.parameters.get(key)
        before, after = (
            json.dumps(values[side], default=str) if side in values else "none" for side in ("base", "head")
        )
        allowed = f"the plan allows {bounds}" if bounds else "outside the plan"
        kept = bounds is not None and "head" in values and bounds.allows(values["head"])
        rules.append(Rule(f"parameters.{key}", kept, f"{before} → {after}; {allowed}"))
    return rules or [Rule("parameters", True, "none changed")]


def _data(rules: DataRules, found: Comparison) -> list[Rule]:
    before, after = ({name for name, count in found.counts.items() if count[side]} for side in ("base", "head"))
    gone, new = sorted(before - after), sorted(after - before)
    told = [
        f"{len(names)} {word}: {', '.join(names[:NAMED])}" for word, names in (("gone", gone), ("new", new)) if names
    ]
    pairing, cases = found.pairing, found.cases("base")
    changed = len(pairing.added) + len(pairing.removed) + len(pairing.relabelled)
    share = changed / cases
    return [
        Rule(
            "data.labels", not gone and not (new and rules.labels == "fixed"), "; ".join(told) or "the same diagnoses"
        ),
        Rule(
            "data.max_label_drift",
            found.drift <= rules.max_label_drift,
            f"{found.drift:.4f} of {rules.max_label_drift:g}",
        ),
        Rule(
            "data.min_test_cases",
            found.cases("head") >= rules.min_test_cases,
            f"{found.cases('head'):,} of {rules.min_test_cases:,}",
        ),
        Rule(
            "data.max_test_rows_changed",
            share <= rules.max_test_rows_changed,
            f"{changed:,} of {cases:,} ({share:.4f} of {rules.max_test_rows_changed:g})",
        ),
    ]


def _not_inferior(name: str, margin: float, change: Change | None) -> Rule:
    """Return whether the whole interval lies on the right side of the margin."""
    if change is None or change.low is None or change.high is None:
        return Rule(
            f"margins.{name}", False, "no paired interval, so it cannot be shown; `tools.compare` says what is missing"
        )
    told = (
        f"{change.base:.4f} → {change.head:.4f}, difference {change.delta:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
    )
    loss = change.high if name in LOWER_IS_BETTER else -change.low
    return Rule(f"margins.{name}", loss <= margin, f"{told}; margin {margin:g}")


def _leak(margin: float, found: Comparison) -> Rule:
    before, after = (side.metrics("scrubbing") for side in (found.base, found.head))
    value, high = before.get("leak"), after.get("leak_high")
    canaries = after.get("canaries_left", 0)
    if value is None and high is None:
        return Rule("margins.leak", not canaries, f"not measured on either side; {canaries} canaries left")
    if value is None or high is None:
        return Rule("margins.leak", False, f"measured on one side only: {value} → upper bound {high}")
    told = f"{value:.5f} → at most {high:.5f}; margin {margin:g}; {canaries} canaries left"
    return Rule("margins.leak", high - value <= margin and not canaries, told)
