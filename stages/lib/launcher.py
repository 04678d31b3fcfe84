"""Run a stage in several processes: a command from the environment starts them, one line says what failed in them."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from stages.lib.isolation import RUNNER, StageError, die_with_parent

LAUNCHER = "DIFFERENTIAL_LAUNCHER"
FAILED = "error: "


def rank() -> int:
    """Return this process's number among those of a launcher, or 0 where it runs alone."""
    return int(os.environ["RANK"]) if _is_launched() else 0


def launcher() -> str:
    """Return the command that the environment sets, or nothing where there is none or it started this process."""
    return "" if _is_launched() else os.environ.get(LAUNCHER, "").strip()


def error_lines(error: StageError) -> str:
    """Return what a stage that fails as expected says on standard error; `launch` knows it by its mark."""
    return "\n".join(f"{FAILED}{line}" for line in str(error).splitlines())


def launch(stage: str, command: str) -> None:
    """Run the stage in the processes that `command` starts, and return when all have ended.

    Raise StageError where that fails: with the lines of the processes, each once, where they said what was wrong. What
    follows the first of them is kept back, for it is how the launcher and the other processes report the same failure.
    """
    errors: dict[str, None] = {}
    with _start(stage, command) as process:
        for line in io.TextIOWrapper(process.stderr or io.BytesIO(), errors="replace"):
            if line.startswith(FAILED):
                errors[line.removeprefix(FAILED).rstrip()] = None
            elif not errors:
                sys.stderr.write(line)
                sys.stderr.flush()
    if process.returncode:
        raise StageError("\n".join(errors) or f"{LAUNCHER}: {command!r} ended with {process.returncode}; see above")


@contextlib.contextmanager
def discarded(stage: str, names: Iterable[str]) -> Iterator[dict[str, Path]]:
    """Yield a path per name in a folder of this process's own, which is removed in any case."""
    folder = Path(".dvc", "tmp", f"stage-{stage}-{rank()}")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        yield {name: folder / name for name in names}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(stage: str, command: str) -> subprocess.Popen[bytes]:
    """Start the launcher as a child: it dies with this process, and the processes that it starts die with it.

    In its place (by exec), nothing would watch for the death of `dvc` behind a shell.
    """
    environment = {name: value for name, value in os.environ.items() if name != LAUNCHER} | {RUNNER: str(os.getpid())}
    try:
        arguments = [*shlex.split(command), "-m", f"stages.{stage}"]
        return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    except (OSError, ValueError) as error:
        raise StageError(
            f"{LAUNCHER}: {command!r}: {error}; set it to a command such as "
            "'accelerate launch --multi_gpu --num_processes 2', or leave it out"
        ) from error


def _is_launched() -> bool:
    """Tell whether torchrun or accelerate started this process; a cluster's job sets RANK alone, for the machine."""
    return {"RANK", "LOCAL_RANK"} <= os.environ.keys()
