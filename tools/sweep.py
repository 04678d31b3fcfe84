"""Run a sweep as DVC experiments and rank its points: `python -m tools.sweep SPEC` (docs/sweeps.md).

Progress and the logs of what fails go to standard error, the table to standard output. What is done is not run again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from stages.lib.launcher import error_lines
from stages.lib.stage import StageError
from tools.sweeps.experiments import Queue, finished, read_json, reproduce, run_apart, settled
from tools.sweeps.plan import Pipeline, Run, plan, read_spec
from tools.sweeps.ranking import Result, best, ranking, ranking_over_folds, result
from tools.sweeps.spec import FOLD, Spec, label, points

POLL = 2.0  # seconds


class Sweep:
    """A sweep that is under way: which of its runs are done, and which have failed."""

    def __init__(self, spec: Spec, runs: list[Run]) -> None:
        self.metric = spec.metric
        self.runs = {run.name: run for run in runs}
        self.done: dict[str, Result] = {}
        self.failed: set[str] = set()
        self.running: set[str] = set()

    @property
    def pending(self) -> list[Run]:
        """Return the runs that are neither done nor failed."""
        return [run for name, run in self.runs.items() if name not in self.done and name not in self.failed]

    def collect(self) -> bool:
        """Take in what is done by now, and return whether anything new is."""
        new = [name for name in self.runs if name in finished(self.runs) - self.done.keys()]
        for name in new:
            self.done[name] = result(self.runs[name], self.metric, read_json)
            self.running.discard(name)
            self.failed.discard(name)
            self.say("done", name, f"{self.metric} {self.done[name].value:.4f}")
        return bool(new)

    def begin(self, name: str) -> None:
        """Say that a run has begun, once."""
        if name not in self.running | self.done.keys():
            self.running.add(name)
            self.say("running", name)

    def fail(self, name: str, log: str) -> None:
        """Say why a run has failed."""
        self.failed.add(name)
        self.running.discard(name)
        self.say("failed", name, f"its log:\n{log.rstrip()}")

    def say(self, state: str, name: str, more: str = "") -> None:
        """Print a line on a run, with how far the sweep has come."""
        at = f"{len(self.done)}/{len(self.runs)} done, {len(self.failed)} failed"
        if self.done and state == "done":
            leader = best(list(self.done.values()), self.metric)
            at += f", best {leader.value:.4f} ({leader.run.name})"
        words = f"{name} ({label(self.runs[name].point)}){f': {more}' if more else ''}"
        print(f"[sweep] {at} | {state} {words}", file=sys.stderr, flush=True)


def by_queue(sweep: Sweep, queue: Queue, *, jobs: int, patience: float) -> None:
    """Run what is pending by DVC's queue; give it up where nothing moves for `patience` seconds."""
    names = enqueue(sweep, queue)
    moved, missing = time.monotonic(), set[str]()
    while sweep.pending:
        if not queue.workers():  # they end when nothing is queued, and may end before
            queue.start(jobs)
        time.sleep(POLL)
        if (states := settled(queue.states)) is None:
            continue
        news = sweep.collect()
        running = [run.name for run in sweep.pending if states.get(run.name) == "Running"]
        lost = {run.name for run in sweep.pending if run.name not in states}
        failed = sorted({run.name for run in sweep.pending if states.get(run.name) == "Failed"} | lost & missing)
        missing = lost  # once may be while it goes from the queue to a worker
        for name in running:
            sweep.begin(name)
        for name in failed:
            sweep.fail(name, queue.log(name))
        if news or failed or (running and queue.workers()):
            moved = time.monotonic()
        elif time.monotonic() - moved > patience:
            print(f"[sweep] the queue has not moved for {patience:.0f} s: going on without it", file=sys.stderr)
            queue.stop(names)
            queue.remove(name for name, state in queue.states().items() if name in names and state != "Running")
            return


def enqueue(sweep: Sweep, queue: Queue) -> set[str]:
    """Queue what is pending and not queued yet; return the names of all that is pending.

    What is said to run while no worker answers was interrupted. That and what failed or was removed is queued anew.
    """
    names, states = {run.name for run in sweep.pending}, queue.states()
    if "Running" in states.values() and not queue.workers():
        queue.stop(names)
        states = queue.states()
    kept = {name for name, state in states.items() if state in {"Queued", "Running"}}
    queue.remove(name for name in states if name in names - kept)
    if others := kept - names:
        print(f"[sweep] {len(others)} other experiments stand in the queue and will run too", file=sys.stderr)
    for run in sweep.pending:
        if run.name not in kept:
            queue.put(run)
            sweep.say("queued", run.name)
    return names


def in_sequence(sweep: Sweep) -> None:
    """Run what is pending one after the other, each in a workspace of its own."""
    for run in sweep.pending:
        sweep.begin(run.name)
        log = run_apart(run)
        if log is not None:
            sweep.fail(run.name, log)
        sweep.collect()


def run_sweep(options: argparse.Namespace) -> Sweep:
    """Check every point, run what all of them share, then what is not done yet."""
    pipeline = Pipeline()
    spec = read_spec(options.spec, pipeline)
    runs = plan(points(spec), pipeline, prefix=options.spec.stem)
    sweep, queue = Sweep(spec, runs), Queue()
    sweep.collect()
    if not sweep.pending:
        return sweep
    if (shared := pipeline.shared(spec.parameters)) and reproduce(shared):
        raise StageError(f"{' and '.join(shared)}, which all points share: failed; see above")
    try:
        if not options.sequential:
            by_queue(sweep, queue, jobs=options.jobs, patience=options.patience)
        in_sequence(sweep)
    except KeyboardInterrupt:
        print("[sweep] stopping; the same command goes on with what is not done", file=sys.stderr)
        if not options.sequential:
            queue.stop(sweep.runs)
        raise
    return sweep


def main() -> None:
    """Run the sweep that the command line names, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "spec", type=Path, help="a YAML file: parameters, metric, and runs with a seed for random draws"
    )
    parser.add_argument("--jobs", "-j", type=int, default=1, help="workers of the queue")
    parser.add_argument("--sequential", action="store_true", help="without the queue, one run after the other")
    parser.add_argument(
        "--patience", type=float, default=90, help="seconds in which the queue must move, before it is given up"
    )
    options = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # `python` and `dvc`
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sweep = run_sweep(options)
    except StageError as error:
        sys.exit(error_lines(error))
    except KeyboardInterrupt:
        sys.exit(130)
    if results := list(sweep.done.values()):
        by_fold = FOLD in results[0].run.point
        print((ranking_over_folds if by_fold else ranking)(results, sweep.metric))
    sys.exit(f"error: {len(sweep.failed)} of {len(sweep.runs)} runs failed; see above" if sweep.failed else 0)


if __name__ == "__main__":
    main()
