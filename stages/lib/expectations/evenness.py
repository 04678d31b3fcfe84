"""The expectation that records are spread evenly enough over classes."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.expectation import ColumnAggregateExpectation


class ExpectColumnEvennessToBeAtLeast(ColumnAggregateExpectation):
    """Expect the entropy of a column's values, over that of a uniform spread, to be at least `min_value`.

    1 where all values are equally frequent, 0 where there is one; the evenness of Pielou (1966), J Theor Biol 13:131.
    """

    min_value: float | dict[str, Any]
    metric_dependencies = ("column.value_counts",)
    success_keys: ClassVar[tuple[str, ...]] = ("min_value",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        """Return success and the evenness."""
        observed = evenness(metrics["column.value_counts"].tolist())
        return {"success": observed >= self._get_success_kwargs()["min_value"], "result": {"observed_value": observed}}


def evenness(counts: list[int]) -> float:
    """Return the evenness of counts by class, 0 to 1."""
    import numpy as np

    shares = np.array([count for count in counts if count]) / max(1, sum(counts))
    return round(float(-(shares * np.log(shares)).sum() / np.log(len(shares))), 4) if len(shares) > 1 else 0.0
