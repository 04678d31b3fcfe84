"""Print what `tools.sweep` costs beside plain DVC: `python -m benchmarks.sweep`.

Six runs of the same points in three clones of this repository at its last commit: `dvc exp run --temp` one after the other,
`python -m tools.sweep --sequential`, and the same by the queue with one worker. `--set` shrinks the pipeline, by default
to a few patients. What the points share is reproduced in each clone beforehand; no clone knows the others' runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

RATES = [1.0e-3, 2.0e-3, 3.0e-3, 4.0e-3, 5.0e-3, 6.0e-3]
SMALL = [
    "acquire.hpo.patients_per_diagnosis=10",
    "validate.min_cases_per_diagnosis=5",
    "validate.max_label_drift=1",
    "validate.max_length_drift=1",
    "split.fractions.train=0.4",
    "split.fractions.validation=0.2",
    "split.fractions.calibration=0.2",
    "split.fractions.test=0.2",
    "model.layers=1",
    "model.max_length=16",
    "train.epochs=1",
]
SHARED = "augment"  # the last stage that a sweep of train.* shares
SPEC = "sweep.yaml"


def clone(folder: Path, changes: list[str]) -> Path:
    """Clone the last commit with changed parameters, committed there, and run what the points share."""
    git = ["git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org"]
    subprocess.run([*git, "clone", "--quiet", ".", str(folder)], check=True)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for change in changes:
        key, _, value = change.partition("=")
        target = params
        *parents, last = key.split(".")
        for parent in parents:
            target = target[parent]
        target[last] = yaml.safe_load(value)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    points = {"parameters": {"train.learning_rate": RATES}, "metric": "validation_log_loss"}
    (folder / SPEC).write_text(yaml.safe_dump(points))
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet", SHARED], cwd=folder, check=True)
    for command in (["add", "-A"], ["commit", "--quiet", "-m", "small"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def plainly(folder: Path) -> None:
    """Run the points by DVC's own command."""
    for rate in RATES:
        command = [sys.executable, "-m", "dvc", "exp", "run", "--quiet", "--temp", "-S", f"train.learning_rate={rate}"]
        subprocess.run([*command, "train"], cwd=folder, check=True)


def swept(*options: str) -> Callable[[Path], None]:
    """Return a function that runs the points by the tool."""

    def run(folder: Path) -> None:
        command = [sys.executable, "-m", "tools.sweep", SPEC, *options]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    return run


WAYS = {
    "dvc exp run --temp": plainly,
    "tools.sweep --sequential": swept("--sequential"),
    "tools.sweep -j 1": swept("-j", "1"),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="a parameter of the pipeline")
    changes = parser.parse_args().set or SMALL
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    print("| six runs by | seconds | seconds per run |\n| --- | --- | --- |")
    for name, way in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
            workspace = clone(Path(folder, "clone"), changes)
            started = time.perf_counter()
            way(workspace)
            seconds = time.perf_counter() - started
        print(f"| {name} | {seconds:.0f} | {seconds / len(RATES):.1f} |", flush=True)


if __name__ == "__main__":
    main()
