"""Print what HPO's annotations bring to published patients: `python -m benchmarks.knowledge`, after `dvc repro split`.

TF-IDF with logistic regression on the training split, alone and with patients simulated from annotations that cite none
of the cases' publications, and the likelihood by the annotations; accuracy on the test split with 95 % intervals of a
bootstrap over independent groups.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.tfidf import tfidf
from stages.acquire import Params
from stages.baselines import phenotype_likelihood
from stages.lib.params import read_params
from stages.lib.records import independent_groups, read_records
from stages.sources.cases import Inputs
from stages.sources.hpo import read

DATA = Path("data")
RESAMPLES = 4000


def right(train: pd.DataFrame, test: pd.DataFrame) -> pd.Series:
    """Return, by record id, whether TF-IDF names the diagnosis."""
    model = tfidf(100).fit(train["text"], train["diagnosis"])
    found = model.predict(test["text"]) == test["diagnosis"].to_numpy()
    return pd.Series(found.astype(float), index=test["record_id"].to_numpy())


def row(name: str, values: pd.Series, groups: pd.Series) -> str:
    """Return a row of the table: cases, mean and its interval in percent."""
    sums = values.groupby(groups.reindex(values.index)).agg(["sum", "size"]).to_numpy()
    generator = np.random.default_rng(1)
    drawn = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES) @ sums
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return f"| {name} | {len(values)} | {100 * values.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}] |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=30, help="simulated patients of each disease")
    patients = parser.parse_args().patients
    params = read_params(Params, ["seed", "acquire"])
    splits = {name: read_records(DATA / f"{name}.parquet") for name in ("train", "validation", "calibration", "test")}
    everyone = pd.concat(splits.values())
    groups = pd.Series(independent_groups(splits["test"]), index=splits["test"]["record_id"])
    names = everyone.groupby("diagnosis_code")["diagnosis"].first().to_dict()
    cited = sorted(set(everyone["groups"].explode().dropna()))
    changes = {"cohort": "shared", "voices": ["case report"], "patients_per_diagnosis": patients}
    inputs = Inputs(DATA, DATA, DATA / "ontology", params.seed, diagnoses=names, publications=cited)
    simulated = pd.DataFrame(read(params.acquire.hpo.model_copy(update=changes), inputs))
    real = right(splits["train"], splits["test"])
    both = right(pd.concat([splits["train"], simulated]), splits["test"])
    _, table = phenotype_likelihood(splits, ontology=DATA / "ontology", rates=params.acquire.hpo.rates)
    probabilities = table.set_index("record_id").drop(columns=["model", "split", "gold"])
    known = (probabilities.idxmax(axis=1) == table.set_index("record_id")["gold"]).astype(float)
    print("| model | test cases | accuracy % |\n| --- | --- | --- |")
    print(row(f"TF-IDF, {len(splits['train']):,} published patients", real, groups))
    print(row(f"and {len(simulated):,} simulated ones", both, groups))
    print(row("gain, paired", both - real, groups))
    print(row("likelihood by the annotations", known, groups))
    print(row("TF-IDF on the same cases", real.reindex(known.index), groups))


if __name__ == "__main__":
    main()
