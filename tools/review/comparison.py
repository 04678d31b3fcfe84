"""Compare two revisions: the tuned model's metrics, who moved, which cases, data, parameters, code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.review import differences
from tools.review.cases import Pairing, pair
from tools.review.change import LOWER_IS_BETTER, Change, adjusted, answered_rightly, changes, exact
from tools.review.revisions import METRICS, Revision, commits_between

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

HIGHER_IS_BETTER = (
    "accuracy",
    "balanced_accuracy",
    "top_3_accuracy",
    "macro_f1",
    "macro_auc_roc",
    "worst_group_accuracy",
)
HEADLINE = (*HIGHER_IS_BETTER, *LOWER_IS_BETTER)


@dataclass(frozen=True)
class Mover:
    """The recall of a subgroup or a diagnosis on both sides."""

    attribute: str
    group: str
    cases: int
    broken: int | None
    fixed: int | None
    recall: Change


@dataclass(frozen=True)
class Comparison:
    """All that a review of `head` against `base` shows."""

    base: Revision
    head: Revision
    pairing: Pairing
    metrics: Mapping[str, Change]
    diagnoses: Sequence[Mover]
    subgroups: Sequence[Mover]
    broken: Sequence[str]
    """Cases that only `base` answers rightly."""
    fixed: Sequence[str]
    """Cases that only `head` answers rightly."""
    counts: Mapping[str, Mapping[str, int]]
    """Test cases by diagnosis, of both sides, all of them."""
    drift: float
    evidence: Mapping[str, differences.Differences]
    """What differs in the other metric files, by file."""
    params: differences.Differences
    code: Mapping[str, Sequence[str]]
    stages: Sequence[str]
    outputs: Sequence[str]
    commits: Sequence[str]
    missing: Mapping[str, Sequence[str]]
    """Files and columns that a side lacks, by side."""

    def worse(self) -> list[str]:
        """Return the headline metrics that are significantly worse."""
        return [name for name, change in self.metrics.items() if change.significant() and change.worse(name)]

    def better(self) -> list[str]:
        """Return the headline metrics that are significantly better."""
        return [name for name, change in self.metrics.items() if change.significant() and not change.worse(name)]

    def cases(self, side: str) -> int:
        """Return the number of test cases of "base" or "head"."""
        return sum(found[side] for found in self.counts.values())


def compare(base: Revision, head: Revision) -> Comparison:
    """Return the comparison; raise StageError where a revision holds no predictions."""
    before, after = base.predictions(), head.predictions()
    pairing = pair(before, after)
    right_before, right_after = answered_rightly(pairing)
    paired = bool(pairing.ids)
    counts = differences.label_counts(before, after)
    locks = base.lock(), head.lock()
    found = {name: differences.differences(base.metrics(name), head.metrics(name)) for name in METRICS}
    return Comparison(
        base=base,
        head=head,
        pairing=pairing,
        metrics=headline(pairing, base.metrics("evaluation"), head.metrics("evaluation")),
        diagnoses=_by_diagnosis(before, after, pairing),
        subgroups=_by_subgroup(pairing),
        broken=_named(pairing, right_before & ~right_after) if paired else [],
        fixed=_named(pairing, right_after & ~right_before) if paired else [],
        counts=counts,
        drift=differences.label_drift(counts),
        evidence={name: values for name, values in found.items() if values},
        params=differences.differences(base.params(), head.params()),
        code=differences.code_changes(*locks),
        stages=differences.stage_changes(*locks),
        outputs=differences.output_changes(*locks),
        commits=commits_between(base, head),
        missing={side.name: differences.missing(side, table) for side, table in ((base, before), (head, after))},
    )


def headline(pairing: Pairing, base: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Change]:
    """Return the headline metrics; what cannot be told from the predictions is taken as each side reported it."""
    measured = changes(pairing)
    reported = [evaluation | evaluation.get("tuned", {}) for evaluation in (base, head)]
    found = {}
    for name in HEADLINE:
        values = [report.get(name) for report in reported]
        if name in measured:
            found[name] = measured[name]
        elif all(isinstance(value, int | float) for value in values):
            found[name] = Change(*values)
    return found


def _named(pairing: Pairing, chosen: np.ndarray) -> list[str]:
    return sorted(name for name, there in zip(pairing.ids, chosen, strict=True) if there)


def _mover(attribute: str, group: str, before: np.ndarray, after: np.ndarray, *, paired: bool) -> Mover:
    """Return the mover of the cases whose answers are right, or not, on both sides."""
    points = float(before.mean()), float(after.mean())
    if not paired:
        return Mover(attribute, group, len(after), None, None, Change(*points))
    broken, fixed = int((before & ~after).sum()), int((after & ~before).sum())
    return Mover(attribute, group, len(after), broken, fixed, Change(*points, p=exact(before, after)))


def _corrected(movers: Sequence[Mover]) -> list[Mover]:
    """Return the movers with corrected p, the largest moves first."""
    recalls = adjusted([mover.recall for mover in movers])
    found = [Mover(**{**vars(mover), "recall": recall}) for mover, recall in zip(movers, recalls, strict=True)]
    return sorted(found, key=lambda mover: (-abs(round(mover.recall.delta, 9)), mover.attribute, mover.group))


def _by_diagnosis(base: pd.DataFrame, head: pd.DataFrame, pairing: Pairing) -> list[Mover]:
    one, two = (base.loc[pairing.ids], head.loc[pairing.ids]) if pairing.ids else (base, head)
    before, after = (side["tuned"].eq(side["gold"]) for side in (one, two))
    names = sorted({*one["gold"]} & {*two["gold"]})
    sides = [(name, before[one["gold"] == name].to_numpy(), after[two["gold"] == name].to_numpy()) for name in names]
    return _corrected([_mover("diagnosis", *side, paired=bool(pairing.ids)) for side in sides])


def _by_subgroup(pairing: Pairing) -> list[Mover]:
    before, after = answered_rightly(pairing)
    members = zip(pairing.subgroups, pairing.base["members"].T, pairing.head["members"].T, strict=True)
    return _corrected([_mover(*name, before[one], after[two], paired=bool(pairing.ids)) for name, one, two in members])
