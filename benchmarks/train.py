"""Print the training speed beside TRL's SFTTrainer and transformers' Trainer: `python -m benchmarks.train`.

Takes models/base, data/train.parquet and params.yaml. All systems train the same LoRA on the same notes, with the same
optimizer, learning rates, schedule, precision and batch size; each run is a process of its own, the systems taken in
turn. Label smoothing and dropout are 0, and nothing is logged or saved. Tokens are those of notes, or of prompts and
answers, without padding; the time in which layers compile stands in a column of its own. A second run of each, in
float32, compares the losses.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from shutil import which
from typing import Any

import torch

from benchmarks.trainers import Task, differential, trainer, trl
from stages.lib.adapter import Specification, make_learner
from stages.lib.model import start
from stages.lib.notes import Notes, bucketed
from stages.lib.params import read_params
from stages.lib.records import read_records
from stages.lib.trunk import layers_of
from stages.train import Params

SYSTEMS = {
    "Differential": partial(differential, compiled=False),
    "Differential, compiled": partial(differential, compiled=True),
    "TRL": partial(trl, ordered=False),
    "TRL, our batches": partial(trl, ordered=True),
    "Trainer, our batches": trainer,
}
REFERENCE = {"generate": "TRL", "classify": "Trainer, our batches"}
SIZES = [512, 1024, 2048, 4096]  # of square matrices


def systems(objective: str) -> list[str]:
    """Return which systems have this objective and find here what they need."""
    with_trl, compiler = objective == "generate" and find_spec("trl"), which("g++")
    if objective == "generate" and not with_trl:
        print("TRL: not installed, left out: pip install '.[peers]'", file=sys.stderr)
    if not compiler:
        print("Differential, compiled: no g++ here, left out", file=sys.stderr)
    there = {"TRL": with_trl, "TRL, our batches": with_trl, "Differential, compiled": compiler}
    return [name for name in SYSTEMS if there.get(name, True)]


def prepare(system: str, options: argparse.Namespace) -> Task:
    """Return the model, the notes and the order of batches; peers get weights in float32, which autocast casts."""
    params = read_params(Params, ["seed", "compute", "model", "train"])
    ours = params.compute.model_copy(update={"precision": options.precision})
    compute = ours if system.startswith("Differential") else ours.model_copy(update={"precision": "float32"})
    lora = params.train.lora.model_copy(update={"dropout": 0.0})
    settings = params.train.model_copy(update={"label_smoothing": 0.0, "schedule": "linear", "lora": lora})
    model = params.model.model_copy(update={"layers": options.layers} if options.layers else {})
    device, records = start(ours), read_records(Path("data/train.parquet"))
    diagnoses = sorted(records["diagnosis"].unique())
    specification = Specification(objective=options.objective, diagnoses=diagnoses, model=model)
    torch.manual_seed(params.seed)
    learner = make_learner(
        specification,
        Path("models/base"),
        lora=lora,
        compute=compute,
        device=device,
        gradient_checkpointing=False,
    )
    tokens = learner.encode(records["text"].tolist())
    targets = [diagnoses.index(diagnosis) for diagnosis in records["diagnosis"]]
    seeded = torch.Generator().manual_seed(params.seed)
    batches = bucketed([*map(len, tokens)], settings.batch_size, generator=seeded)
    whole = islice((rows for rows in batches if len(rows) == settings.batch_size), options.steps)
    order = [row for rows in whole for row in rows]
    notes = Notes([tokens[row] for row in order], [targets[row] for row in order])
    return Task(learner, notes, settings, options.precision, options.log)


def measure(system: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return speed in tokens/s, arithmetic in FLOP/s, peak memory in MiB and losses of this process."""
    task = prepare(system, options)
    run = SYSTEMS[system](task)
    answers = sum(map(len, task.answers()))
    tokens = sum(map(len, task.notes.tokens)) + answers
    on_cuda = task.learner.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() if on_cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "tokens_per_second": tokens / run.seconds,
        "flops": _arithmetic(task, tokens, answers) / run.seconds,
        "memory_mib": peak / 2**20,
        "compiling_seconds": run.compiling,
        "losses": run.losses,
    }


def _arithmetic(task: Task, tokens: int, answers: int) -> float:
    """Return the FLOPs that the steps need: 2 by weight and token, forward, and to the inputs backward.

    Weights of LoRA take part in a third pass. Attention scores, and what padding takes, are not counted.
    """
    network = task.learner.network
    matrices = [weight for layer in layers_of(network) for weight in layer.parameters() if weight.ndim == 2]
    passes = sum(weight.numel() * (3 if weight.requires_grad else 2) for weight in matrices)
    vocabulary = network.get_output_embeddings()
    return 2 * passes * tokens + (4 * vocabulary.weight.numel() * answers if vocabulary else 0)


def measure_limit(options: argparse.Namespace) -> dict[str, float]:
    """Return the most FLOP/s that a product of square matrices sustains for a second on this machine."""
    params = read_params(Params, ["seed", "compute", "model", "train"])
    device, dtype = start(params.compute), getattr(torch, options.precision)
    speeds = []
    for size in SIZES:
        left, right = (torch.rand(size, size, dtype=dtype, device=device) for _ in range(2))
        float((left @ right)[0, 0])
        started, products = time.monotonic(), 0
        while time.monotonic() - started < 1:
            float((left @ right)[0, 0])  # waits for the device
            products += 1
        speeds.append(2 * size**3 * products / (time.monotonic() - started))
    return {"flops": max(speeds)}


def main() -> None:
    """Run every system `--repeats` times and print the medians or, with `--json`, all of it."""
    options = _options()
    if options.only:
        found = measure_limit(options) if options.only == "limit" else measure(options.only, options)
        print(json.dumps(found))
        return
    names = systems(options.objective)
    runs = [{name: _child(name) for name in ["limit", *names]} for _ in range(options.repeats)]
    limit = max(run["limit"]["flops"] for run in runs)
    checks = {name: _child(name, "--precision=float32", f"--steps={options.check}", "--log") for name in names}
    report = {name: _row(name, runs, checks, limit) for name in names}
    reference = report.get(REFERENCE[options.objective], {}).get("tokens_per_second")
    for row in report.values():
        row["ratio"] = row["tokens_per_second"] / reference if reference else None
    _print(report, REFERENCE[options.objective])
    if options.json:
        print(json.dumps({"limit_flops": limit, "precision": options.precision, "systems": report}))


def _row(name: str, runs: list[dict[str, Any]], checks: dict[str, Any], limit: float) -> dict[str, Any]:
    keys = ["tokens_per_second", "memory_mib", "compiling_seconds", "flops"]
    speed, memory, compiling, flops = (statistics.median(run[name][key] for run in runs) for key in keys)
    pairs = list(zip(checks["Differential"]["losses"], checks[name]["losses"], strict=False))
    differences = [abs(ours - theirs) for ours, theirs in pairs]
    return {
        "tokens_per_second": speed,
        "ratio": None,
        "memory_mib": memory,
        "compiling_seconds": round(compiling) or None,
        "share_of_limit": flops / limit,
        "first_loss_difference": differences[0] if differences else None,
        "largest_loss_difference": max(differences, default=None),
    }


def _child(*given: str) -> dict[str, Any]:
    """Return what a process of its own measures; `given` comes after, and so outdoes, what this one was told."""
    system, *rest = given
    command = [sys.executable, "-m", "benchmarks.train", *sys.argv[1:], *rest, f"--only={system}"]
    found: dict[str, Any] = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
    return found


def _print(report: dict[str, dict[str, Any]], reference: str) -> None:
    speed, losses = f"tokens/s | ratio to {reference}", "first losses differ by | all by"
    print(f"| system | {speed} | peak memory, MiB | compiling, s | share of the limit | {losses} |\n{'| --- ' * 8}|")
    formats = [".0f", ".2f", ".0f", ".0f", ".3f", ".1e", ".1e"]
    for name, row in report.items():
        cells = [
            "-" if value is None else format(value, spec) for value, spec in zip(row.values(), formats, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objective", choices=sorted(REFERENCE), default="generate")
    parser.add_argument("--layers", type=int, help="first layers to keep, instead of model.layers")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--check", type=int, default=2, help="steps of the runs in float32 that compare losses")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print all of it as JSON in the last line")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--log", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
