"""DVC's experiments and their queue, as a sweep uses them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from psutil import NoSuchProcess, Process  # type: ignore[import-untyped]

from stages.lib.isolation import die_with_parent
from tools.sweeps.plan import TARGET, Run

INCOMING = "data/incoming"
TRACKED = {"README.md", ".gitignore"}  # of what lies there
WORKERS = ".dvc/tmp/exps/celery"
STOPPING = 30.0  # seconds that workers are given to end
STATES = ("Failed", "Success", "Queued", "Running")  # of an experiment in the queue; what comes later says more


def git(*arguments: str) -> str:
    """Return what a command of git prints, nothing where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def finished(names: Iterable[str]) -> set[str]:
    """Return which of these experiments of the current commit there are."""
    head = git("rev-parse", "HEAD")
    refs = git("for-each-ref", "--format=%(refname:lstrip=-1)", f"refs/exps/{head[:2]}/{head[2:]}")
    return set(names) & set(refs.splitlines())


def read_json(name: str, path: str) -> dict[str, Any]:
    """Return a JSON file as an experiment of the current commit left it."""
    head = git("rev-parse", "HEAD")
    found: dict[str, Any] = json.loads(git("show", f"refs/exps/{head[:2]}/{head[2:]}/{name}:{path}") or "{}")
    return found


def copied() -> list[str]:
    """Return what an experiment's own workspace has to be given: of the user's files neither git nor DVC knows."""
    there = Path(INCOMING).iterdir() if Path(INCOMING).is_dir() else []
    return sorted(str(item) for item in there if item.name not in TRACKED and item.suffix != ".dvc")


class Queue:
    """DVC's queue of experiments; of what stands in it, only experiments of given names are touched."""

    def put(self, run: Run) -> None:
        """Queue an experiment, as `dvc exp run --queue` does."""
        with _repository() as repo:
            repo.experiments.run(
                targets=[TARGET], params=run.overrides, queue=True, name=run.name, copy_paths=copied() or None
            )

    def states(self) -> dict[str, str]:
        """Return the state by name of experiment.

        A worker that was ended may leave an entry of what it had taken; where that is queued anew, the new one counts.
        """
        with _repository() as repo:
            entries = repo.experiments.celery_queue.status()
        return {
            entry["name"]: entry["status"] for entry in sorted(entries, key=lambda one: STATES.index(one["status"]))
        }

    def start(self, jobs: int) -> None:
        """Start the workers that are not there, up to a number; each ends when nothing has been queued for 10 s."""
        command = [sys.executable, "-m", "dvc", "queue", "start", "--jobs", str(jobs)]
        # A worker outlives this process, and must not hold its output open.
        subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )

    def workers(self) -> list[Process]:
        """Return the workers that are alive.

        They are not asked through the queue: what is sent to one that is gone waits for the next of its name.
        """
        found = []
        for path in Path(WORKERS).glob("*.pid"):
            with contextlib.suppress(NoSuchProcess, ValueError):
                process = Process(int(path.read_text()))
                if "queue-worker" in process.cmdline():
                    found.append(process)
        return found

    def log(self, name: str) -> str:
        """Return what an experiment printed."""
        command = [sys.executable, "-m", "dvc", "queue", "logs", name]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout

    def remove(self, names: Iterable[str]) -> None:
        """Take experiments that wait or have ended out of the queue."""
        with _repository() as repo:
            if names := list(names):
                repo.experiments.celery_queue.remove(names)

    def stop(self, names: Iterable[str]) -> None:
        """Kill the running ones of these experiments, and have the workers end; others that run go on to their end."""
        names, deadline = set(names), time.monotonic() + STOPPING
        for worker in self.workers():
            with contextlib.suppress(NoSuchProcess):
                worker.terminate()
        while time.monotonic() < deadline:
            states = settled(self.states)
            running = [name for name, state in (states or {}).items() if state == "Running" and name in names]
            if states is not None and not running and not self.workers():
                return
            with _repository() as repo, contextlib.suppress(_error()):
                if running:
                    repo.experiments.celery_queue.kill(running, force=True)
            time.sleep(0.5)


def run_apart(run: Run) -> str | None:
    """Run an experiment as `dvc exp run --temp` does, and return what it printed, or None where it has succeeded."""
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", run.name]
    command += [argument for path in copied() for argument in ("--copy-paths", path)]
    command += [argument for override in run.overrides for argument in ("--set-param", override)]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*command, TARGET], stdout=output, stderr=output, preexec_fn=die_with_parent, start_new_session=True
        )
        try:
            process.wait()
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGINT)  # DVC then removes the workspace
            process.wait()
            raise
        output.seek(0)
        return None if process.returncode == 0 and finished([run.name]) else output.read()


def reproduce(stages: list[str]) -> int:
    """Run stages in the workspace, where they are stale; return the exit status of DVC."""
    command = [sys.executable, "-m", "dvc", "repro", *stages]
    return subprocess.run(command, stdout=sys.stderr, check=False, preexec_fn=die_with_parent).returncode


def settled(look: Callable[[], dict[str, str]]) -> dict[str, str] | None:
    """Return what `look` sees, or None where a worker was writing just then."""
    try:
        return look()
    except (OSError, ValueError, KeyError, _error()):
        return None


@contextlib.contextmanager
def _repository() -> Iterator[Any]:
    from dvc.repo import Repo

    with Repo() as repo:
        yield repo


def _error() -> type[Exception]:
    from dvc.exceptions import DvcException

    found: type[Exception] = DvcException
    return found
