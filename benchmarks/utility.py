"""Print what scrubbing costs a diagnosis model: `python -m benchmarks.utility`, after `dvc repro split`.

TF-IDF with logistic regression, as in stages/baselines.py, learns the training split twice: its texts as they came in
(data/raw.parquet), and scrubbed. Both are measured on the same test cases, with intervals of a bootstrap over
independent groups; the difference is paired.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.tfidf import tfidf
from stages.lib.comparison import Model, gains, with_intervals
from stages.lib.params import read_document
from stages.lib.records import independent_groups, read_records
from stages.lib.scores import Scores

DATA = Path("data")
METRICS = ("accuracy", "macro_f1")


def fitted(train: pd.DataFrame, test: pd.DataFrame, *, c: float) -> Model:
    """Return the scores on `test` of a model that learnt `train`."""
    model = tfidf(c).fit(train["text"], train["diagnosis"])
    gold = pd.Index(model.classes_).get_indexer(test["diagnosis"])
    scores = Scores(model.predict_proba(test["text"]), gold, independent_groups(test))
    return Model(pd.Index(test["record_id"]), scores, scores)


def main() -> None:
    """Print the table."""
    params = read_document("params.yaml")
    scrubbed = {name: read_records(DATA / f"{name}.parquet") for name in ("train", "test")}
    texts = read_records(DATA / "raw.parquet").set_index("record_id")["text"]
    raw = {name: split.assign(text=split["record_id"].map(texts)) for name, split in scrubbed.items()}
    c = params["baselines"]["tfidf"]["c"]
    models = {"after": fitted(**scrubbed, c=c), "before": fitted(**raw, c=c)}
    settings = {
        "resamples": params["evaluate"]["bootstrap"],
        "confidence": params["evaluate"]["confidence"],
        "seed": params["seed"],
    }
    bounds = with_intervals(models, **settings)
    gained = gains(models["after"], models["before"], **settings)
    changed = (raw["test"]["text"] != scrubbed["test"]["text"]).mean()
    sizes = " and ".join(f"{len(split):,} {name}" for name, split in scrubbed.items())
    print(f"{sizes} cases; scrubbing changed {100 * changed:.1f} % of the test cases' texts\n")
    print("| scrubbing | accuracy % | macro-F1 % |\n| --- | --- | --- |")
    for name, label in {"before": "before", "after": "after", "after - before": "difference, paired"}.items():
        found = bounds.get(name, gained)
        cells = ["{:.1f} [{:.1f}, {:.1f}]".format(*(100 * x for x in found[metric][:3])) for metric in METRICS]
        print(f"| {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
