"""What a run measured: the metrics, calibration, examples and provenance of its stages in, one object out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "tuned": "tuned LLM",
    "probe": "probe on the frozen LLM",
    "tfidf": "TF-IDF + logistic regression",
    "phenotype_likelihood": "HPO annotations, given the findings",
    "zero_shot": "untuned LLM, zero-shot",
    "majority": "majority",
    "ceiling": "ceiling, given the findings",
}
Rows = dict[str, dict[str, Any]]
SIMULATED = "hpo"  # the one source whose texts may be shown


@dataclass(frozen=True)
class Results:
    """The inputs of the report by their names in dvc.yaml: tables as frames, the rest as it was written in JSON.

    `provenance` is the adapter's, and `hashes` holds the md5 of each input, as dvc.lock has it.
    """

    acquisition: Mapping[str, Any]
    calibration: Mapping[str, Any]
    croissant: Mapping[str, Any]
    data_quality: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    explanations: list[dict[str, Any]]
    provenance: Mapping[str, Any]
    scrubbing: Mapping[str, Any]
    splits: Mapping[str, Any]
    training: Mapping[str, Any]
    comparisons: pd.DataFrame
    decision_curve: pd.DataFrame
    intervals: pd.DataFrame
    losses: pd.DataFrame
    per_diagnosis: pd.DataFrame
    perturbations: pd.DataFrame
    predictions: pd.DataFrame
    reliability: pd.DataFrame
    risk_coverage: pd.DataFrame
    roc: pd.DataFrame
    subgroups: pd.DataFrame
    hashes: Mapping[str, str]

    def models(self) -> dict[str, str]:
        """Return the names of the models that were measured, in the order in which they are shown."""
        return models(self.intervals)

    def measured(self, model: str) -> Rows:
        """Return the rows of a model's intervals by metric."""
        return measured(self.intervals, model)

    def gains(self, metric: str = "accuracy") -> Rows:
        """Return what the tuned model gains over each other one in a metric, in the order in which they are shown."""
        return gains(self.comparisons, metric)

    def families(self) -> dict[str, str]:
        """Return the group of confusable diseases that a simulated patient's diagnosis belongs to, by diagnosis."""
        from stages.lib.phenotypes.cohort import read_cohort

        there = SIMULATED in set(self.predictions["source"])
        return {disease.name: disease.group for disease in read_cohort()} if there else {}

    def simulated(self) -> bool:
        """Tell whether no record is of a person."""
        return set(self.acquisition["records_by_source"]) <= {SIMULATED}


def models(intervals: pd.DataFrame) -> dict[str, str]:
    """Return the names of the models of metrics/intervals.csv, in the order in which they are shown."""
    there = set(intervals["model"])
    return {model: name for model, name in NAMES.items() if model in there}


def measured(intervals: pd.DataFrame, model: str) -> Rows:
    """Return the rows of a model in metrics/intervals.csv by metric."""
    rows = intervals[intervals["model"] == model].to_dict("records")
    return {str(row["metric"]): {str(key): value for key, value in row.items()} for row in rows}


def gains(comparisons: pd.DataFrame, metric: str = "accuracy") -> Rows:
    """Return the rows of the tuned model and a metric in metrics/comparisons.csv by baseline, in the order shown."""
    own = comparisons[(comparisons["model"] == "tuned") & (comparisons["metric"] == metric)]
    rows = own.set_index("baseline").to_dict("index")
    return {name: {str(key): value for key, value in rows[name].items()} for name in NAMES if name in rows}


def read_results(paths: Mapping[str, Path]) -> Results:
    """Read the inputs of the report by their names."""
    from stages.lib.lineage import dvc_md5

    hashes = {name: dvc_md5(path) for name, path in sorted(paths.items())}
    found = {name: _read(path) for name, path in paths.items() if name != "adapter"}
    provenance = _read(paths["adapter"] / "provenance.json")
    wanted = {field.name for field in fields(Results)}
    return Results(provenance=provenance, hashes=hashes, **{key: found[key] for key in found.keys() & wanted})


def _read(path: Path) -> Any:
    if path.suffix == ".csv":
        import pandas as pd

        return pd.read_csv(path, keep_default_na=False, na_values=[""])  # a diagnosis may be called NA
    return json.loads(path.read_text(encoding="utf-8"))
