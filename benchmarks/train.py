"""Print training speed and memory on data/train.parquet by how note widths are rounded: `python -m benchmarks.train`.

Each row is a process of its own, the rows taken in turn; widths rounded to 1 (none) are the reference.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import torch

from stages import train
from stages.lib import notes as reading
from stages.lib.adapter import Specification, make_learner
from stages.lib.learner import stepper
from stages.lib.model import start
from stages.lib.params import read_params
from stages.lib.records import read_records

STEPS_OF_WIDTH = [1, 16]


def measure(width_step: int, *, steps: int) -> dict[str, float]:
    """Return tokens/s, without padding, and peak memory in MiB of this process over `steps` optimizer steps."""
    reading.WIDTH_STEP = width_step
    params = read_params(train.Params, ["seed", "compute", "model", "train"])
    device = start(params.compute)
    torch.manual_seed(params.seed)
    records = read_records(Path("data/train.parquet"))
    diagnoses = sorted(records["diagnosis"].unique())
    specification = Specification(objective=params.train.objective, diagnoses=diagnoses, model=params.model)
    base, lora = Path("models/base"), params.train.lora
    learner = make_learner(specification, base, lora=lora, compute=params.compute, device=device)
    tokens = learner.encode(records["text"].tolist())
    notes = reading.Notes(tokens, [diagnoses.index(diagnosis) for diagnosis in records["diagnosis"]])
    step = stepper(learner, params.train, notes=len(tokens))
    lengths = [len(ids) for ids in tokens]
    batches = reading.bucketed(lengths, params.train.batch_size, generator=torch.Generator().manual_seed(params.seed))
    started, done = time.monotonic(), 0
    for rows in islice(batches, steps):
        loss, count = learner.loss(notes, rows, smoothing=params.train.label_smoothing)
        step(loss / count)
        done += sum(lengths[row] for row in rows)
    seconds = time.monotonic() - started
    return {"speed": done / seconds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Measure every row `--repeats` times and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--width-step", type=int, help="measure this row only, and print it as JSON")
    options = parser.parse_args()
    if options.width_step:
        print(json.dumps(measure(options.width_step, steps=options.steps)))
        return
    found: dict[int, list[dict[str, float]]] = {width_step: [] for width_step in STEPS_OF_WIDTH}
    for _ in range(options.repeats):
        for width_step, runs in found.items():
            command = [
                sys.executable,
                "-m",
                "benchmarks.train",
                f"--steps={options.steps}",
                f"--width-step={width_step}",
            ]
            runs.append(json.loads(subprocess.check_output(command, text=True).splitlines()[-1]))
    reference = statistics.median(run["speed"] for run in found[1])
    print("| widths rounded to | tokens/s | ratio | peak memory, MiB |\n| --- | --- | --- | --- |")
    for width_step, runs in found.items():
        speed, memory = (statistics.median(run[name] for run in runs) for name in ("speed", "memory"))
        print(f"| {width_step} | {speed:.0f} | {speed / reference:.2f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
