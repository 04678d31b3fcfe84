"""Print what `tools.sweep` costs beside plain DVC: `python -m benchmarks.sweep`.

Six runs of the same points, each way in a fresh repository of its own: `dvc exp run --temp` one after the other,
`python -m tools.sweep --sequential`, and the same by the queue with one worker. The pipeline is the toy of the tests,
whose stages take no time, so that what is measured is DVC's and the tool's own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.append("tests")

RANKS = [2, 3, 4, 5, 6, 7]
SPEC = "sweep.yaml"
Way = Callable[[Path, dict[str, str]], None]


def plainly(folder: Path, environment: dict[str, str]) -> None:
    """Run the points by DVC's own command."""
    for rank in RANKS:
        command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "-S", f"train.rank={rank}", "train"]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def swept(*options: str) -> Way:
    """Return a function that runs the points by the tool."""

    def run(folder: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tools.sweep", SPEC, *options]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    return run


WAYS: dict[str, Way] = {
    "dvc exp run --temp": plainly,
    "tools.sweep --sequential": swept("--sequential"),
    "tools.sweep, by the queue": swept(),
}


def main() -> None:
    """Print the table."""
    from toy_sweep import make_toy_sweep, toy_environment

    print("| six runs by | seconds | seconds per run |\n| --- | --- | --- |")
    for name, way in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="sweep-", ignore_cleanup_errors=True) as folder:
            workspace = make_toy_sweep(Path(folder, "toy"))
            (workspace / SPEC).write_text(f"parameters: {{train.rank: {RANKS}}}\nmetric: validation_log_loss\n")
            started = time.perf_counter()
            way(workspace, toy_environment(workspace))
            seconds = time.perf_counter() - started
            time.sleep(15)  # a worker looks for work for 10 s more, in a folder that should still be there
        print(f"| {name} | {seconds:.0f} | {seconds / len(RANKS):.1f} |", flush=True)


if __name__ == "__main__":
    main()
