"""Print TF-IDF's validation accuracy by C: `python -m benchmarks.tfidf`, after `dvc repro split`."""

from __future__ import annotations

from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from stages.lib.records import read_records


def tfidf(c: float) -> Pipeline:
    """Return the baseline of stages/baselines.py, from texts to diagnoses, unfitted."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return make_pipeline(words, LogisticRegression(C=c, max_iter=2000))


if __name__ == "__main__":
    train, validation = (read_records(Path("data", f"{name}.parquet")) for name in ("train", "validation"))
    print("| C | validation accuracy % |\n| --- | --- |")
    for c in (1.0, 10.0, 100.0):
        model = tfidf(c).fit(train["text"], train["diagnosis"])
        print(f"| {c:g} | {100 * model.score(validation['text'], validation['diagnosis']):.1f} |")
