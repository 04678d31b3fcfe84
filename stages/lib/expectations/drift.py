"""The expectation that values are distributed as they were in the data accepted last."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.expectation import ColumnAggregateExpectation


class ExpectColumnDriftToBeAtMost(ColumnAggregateExpectation):
    """Expect a column's values, numbers from 0, to be distributed like `reference`, their counts before.

    What is bounded by `max_value` is the Jensen-Shannon divergence in bits: 0 for equal shares, 1 where no value is
    common to both; Lin (1991), IEEE Trans Inf Theory 37:145. New values may stand beyond the end of `reference`.
    """

    reference: list[int] | dict[str, Any]
    max_value: float | dict[str, Any]
    metric_dependencies = ("column.value_counts",)
    success_keys: ClassVar[tuple[str, ...]] = ("reference", "max_value")

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        """Return success and the divergence."""
        limits = self._get_success_kwargs()
        counts = {int(value): int(count) for value, count in metrics["column.value_counts"].items()}
        observed = divergence(counts, dict(enumerate(limits["reference"])))
        return {"success": observed <= limits["max_value"], "result": {"observed_value": observed}}


def divergence(counts: dict[int, int], reference: dict[int, int]) -> float:
    """Return the Jensen-Shannon divergence of two tables of counts by value, 0 to 1; 1 where one is empty."""
    import numpy as np
    from scipy.special import rel_entr

    if not sum(counts.values()) or not sum(reference.values()):
        return 1.0
    values = sorted(counts.keys() | reference.keys())
    first, second = (
        np.array([table.get(value, 0) for value in values]) / sum(table.values()) for table in (counts, reference)
    )
    middle = (first + second) / 2
    bits = (rel_entr(first, middle).sum() + rel_entr(second, middle).sum()) / (2 * np.log(2))
    return round(float(min(1.0, max(0.0, bits))), 4)
