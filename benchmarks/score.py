"""Print how much faster all labels are scored in one pass than by a call for each: `python -m benchmarks.score`.

Takes models/base, notes of data/test.parquet and the names of diseases of data/ontology. A call for a label takes
several notes at once, as a pass of all labels does. Both ways run on the same weights, and their differentials are
compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

from stages.lib.generator import Generator, make_generator
from stages.lib.model import freeze, load_language_model, load_tokenizer, start
from stages.lib.params import read_params
from stages.lib.records import read_records
from stages.lib.scoring import label_tree
from stages.train import Params


def measure(counts: list[int], *, notes: int, repeats: int, precision: str) -> list[dict[str, float]]:
    """Return a row for each number of labels."""
    params = read_params(Params, ["seed", "compute", "model", "train"])
    compute = params.compute.model_copy(update={"precision": precision})
    model = params.model.model_copy(update={"layers": None})
    base, device = Path("models/base"), start(compute)
    network, tokenizer = load_language_model(base, layers=None, key="model").to(device), load_tokenizer(base)
    made = [
        make_generator(network, tokenizer, diagnoses=names(count), model=model, compute=compute, device=device)
        for count in counts
    ]
    freeze(network, compute, device)
    texts = read_records(Path("data/test.parquet"))["text"].head(notes).tolist()
    return [compare(generator, texts, repeats=repeats) for generator in made]


def names(count: int) -> list[str]:
    """Return `count` names of diseases, evenly spaced over the annotations in alphabetical order."""
    lines = Path("data/ontology/phenotype.hpoa").read_text(encoding="utf-8").splitlines()
    found = sorted({line.split("\t")[1] for line in lines if line.startswith("ORPHA:")})
    return found[:: len(found) // count][:count]


def compare(generator: Generator, texts: list[str], *, repeats: int) -> dict[str, float]:
    """Return seconds per note of both ways, the best of `repeats` taken in turn, and how far probabilities differ."""
    prompts = generator.encode(texts)
    ways = {"one_pass": replace(generator, one_pass=True), "one_call_per_label": replace(generator, one_pass=False)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found = {}
    for _ in range(repeats):
        for way, scorer in ways.items():
            started = time.monotonic()
            found[way] = softmax(scorer.scores(prompts).astype("float64"), axis=1)
            seconds[way].append((time.monotonic() - started) / len(prompts))
    together, apart = (min(seconds[way]) for way in ways)
    return {
        "labels": len(generator.labels),
        "label_tokens": sum(map(len, generator.labels)),
        "tree_nodes": len(label_tree(generator.labels).tokens),
        "one_pass_s": together,
        "one_call_per_label_s": apart,
        "ratio": apart / together,
        "largest_difference": float(np.abs(found["one_pass"] - found["one_call_per_label"]).max()),
    }


def main() -> None:
    """Print a table of seconds per note and, with `--json`, what it holds as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--labels", type=int, nargs="+", default=[24, 50, 200])
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = measure(options.labels, notes=options.notes, repeats=options.repeats, precision=options.precision)
    print(f"| {' | '.join(name.replace('_', ' ') for name in rows[0])} |\n|{' --- |' * len(rows[0])}")
    for row in rows:
        print(f"| {' | '.join(f'{value:.3g}' for value in row.values())} |")
    if options.json:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"precision": options.precision, "memory_mib": memory, "rows": rows}))


if __name__ == "__main__":
    main()
