"""Kill `dvc` or a stage in the middle of a stage, and see what is left alive and on disk."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import psutil
import yaml
from toy_pipeline import dvc, environment

Victim = Literal["dvc", "stage"]


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll `condition` every 5 ms; return whether it came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (fulfilled := condition()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return fulfilled


def alive(workspace: Path) -> list[str]:
    """Return the command lines of the processes that run in `workspace`; what is dead but not yet reaped is not."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "status"]):
        if process.info["cwd"] == str(workspace.resolve()) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.info["cmdline"] or []))
    return found


def partials(workspace: Path) -> list[Path]:
    """Return the outputs that are being written, or were when their stage was killed."""
    folders = [workspace / name for name in ("data", "models", "metrics")]
    return sorted(path for folder in folders for path in folder.rglob(".partial-*"))


def interrupt(workspace: Path, stage: str, victim: Victim, *, rest: float = 0.2, **changes: str) -> bool:
    """Run `stage` under DVC and SIGKILL `victim` in the middle; return whether it came in time.

    The middle is when an output is being written, or `rest` seconds after the stage has begun. All of it must be dead
    within 2 s. A `dvc` whose stage is over is left alone: it writes dvc.lock in place, and a kill then may cut it.
    """
    forget(workspace, stage)
    log = workspace.parent / f"{workspace.name}-{stage}-{victim}.log"
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--no-run-cache", stage]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=workspace, env=environment(**changes), stdout=file, stderr=file)
    begun = wait_until(lambda: f"[{stage}] in: " in log.read_text() or process.poll() is not None, seconds=120)
    assert begun, f"{stage} did not begin: {log.read_text()}"
    wait_until(lambda: bool(partials(workspace)), seconds=rest)
    running = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if victim == "stage":
        send(signal.SIGKILL, running)
    elif send(signal.SIGSTOP, running):  # held, so that it cannot end in between
        process.kill()
        send(signal.SIGCONT, running)
    landed = process.wait(timeout=120) != 0
    assert wait_until(lambda: not alive(workspace), seconds=2), alive(workspace)
    return landed


def send(number: signal.Signals, targets: list[psutil.Process]) -> bool:
    """Send a signal to all processes; return whether any was there."""
    reached = False
    for target in targets:
        with contextlib.suppress(psutil.NoSuchProcess):
            target.send_signal(number)
            reached = reached or target.status() != psutil.STATUS_ZOMBIE
    return reached


def forget(workspace: Path, stage: str) -> None:
    """Take `stage` out of dvc.lock, or DVC would fetch its outputs from the cache and not run it again."""
    path = workspace / "dvc.lock"
    lock = yaml.safe_load(path.read_text()) if path.exists() else {"stages": {}}
    if lock["stages"].pop(stage, None):
        path.write_text(yaml.safe_dump(lock, sort_keys=False))


def assert_recovers(workspace: Path, stage: str, **changes: str) -> None:
    """Kill `dvc`, then the stage, in the middle of `stage`; then finish it: nothing half-written is left."""
    for victim in get_args(Victim):
        landed = any(interrupt(workspace, stage, victim, rest=rest, **changes) for rest in (0.2, 0.02, 0.0))
        assert landed, f"{stage} was over before {victim} could be killed, three times"
    dvc(workspace, "repro", "--single-item", stage, **changes)
    assert partials(workspace) == []


def stages(workspace: Path) -> list[str]:
    """Return the stages in the order of dvc.yaml."""
    return list(yaml.safe_load((workspace / "dvc.yaml").read_text())["stages"])
