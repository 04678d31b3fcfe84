"""Keep a stage to itself: no network, no orphan, no second run in one workspace, no output half written."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

# Python's audit events by which an address or a host name leaves: of the former, where among the arguments.
BY_ADDRESS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getnameinfo": 0}
BY_NAME = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}

RUNNER = "DIFFERENTIAL_RUNNER"  # the variable that tells the processes of a launcher which stage started it
PR_SET_PDEATHSIG = 1
ALMOST_FULL = 2**20  # bytes
SHELLS = {"sh", "dash", "ash", "busybox", "bash", "ksh", "zsh", "fish"}


class StageError(Exception):
    """An expected failure, in one line: what, where and what to do."""


def die_with_parent() -> None:
    """Have this process, and all that it forks, die with the parent: an orphan would publish into the next run."""
    _follow_parent()
    os.register_at_fork(after_in_child=_follow_parent)  # or an orphaned worker of a pool keeps the stage's lock


def refuse_network(stage: str) -> list[str]:
    """Refuse every connection but loopback for good, by audit hook; return the list that collects attempts."""
    refused: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in BY_ADDRESS:
            address = arguments[BY_ADDRESS[event]]
            host = address[0] if isinstance(address, tuple) else None  # None: a socket in the file system
        elif event in BY_NAME:
            host = arguments[0]
        else:
            return
        host = host.decode(errors="replace") if isinstance(host, bytes) else host
        if isinstance(host, str) and not _is_loopback(host):
            refused.append(f"{stage}: tried to reach {host}; only fetch may use the network: pin it in params.yaml")
            raise StageError(refused[-1])

    sys.addaudithook(hook)
    return refused


@contextlib.contextmanager
def lock(stage: str) -> Iterator[None]:
    """Hold the stage's lock in this workspace; raise StageError if another process keeps it for 5 s."""
    path = Path(".dvc", "tmp", f"stage-{stage}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 5  # a predecessor that was killed may need a moment to let go
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StageError(f"{stage}: already runs in {Path.cwd()}; wait for it or end it") from None
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def published(outputs: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yield a partial path beside each of `outputs`; move all there if the block succeeds, remove them in any case.

    A killed run leaves its partials: the next one removes them. Raises StageError for an output that was not written.
    """
    partials = {name: path.with_name(f".partial-{os.getpid()}-{path.name}") for name, path in outputs.items()}
    _remove_partials(outputs.values())
    try:
        yield partials
        if unwritten := [str(outputs[name]) for name, path in partials.items() if not path.exists()]:
            raise StageError(f"the stage returned without writing {', '.join(unwritten)}")
        for name, partial in partials.items():
            _remove(outputs[name])
            os.replace(partial, outputs[name])
    except StageError:
        raise
    except Exception as error:  # torch and NumPy report a short write and not its reason
        if any(shutil.disk_usage(path.parent).free < ALMOST_FULL for path in outputs.values()):
            raise OSError(errno.ENOSPC, "No space left on device") from error
        raise
    finally:
        _remove_partials(outputs.values())


def ran_out_of_space(error: BaseException | None) -> bool:
    """Tell whether `error`, or what caused it, is a full disk or quota; libraries wrap it in errors of their own."""
    while error:
        if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _follow_parent() -> None:
    ancestors = _ancestors()

    def watch() -> None:
        while _ancestors() == ancestors:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != ancestors[0] or not _descends(int(os.environ.get(RUNNER, 0))):
            os.kill(os.getpid(), signal.SIGKILL)
    if sys.platform != "linux" or len(ancestors) > 1:
        threading.Thread(target=watch, daemon=True).start()


def _ancestors() -> tuple[int, ...]:
    """Return the parent and, where that is a shell in which DVC runs this stage, the shell's parent.

    bash and zsh make way for a single command; dash waits for it, and outlives a killed `dvc` with it.
    """
    parent = os.getppid()
    name, grandparent = _look_up(parent)
    return (parent, grandparent) if "DVC_STAGE" in os.environ and name in SHELLS else (parent,)


def _descends(ancestor: int) -> bool:
    """Tell whether `ancestor`, 0 for any, is above this process; a launcher that is killed early leaves orphans."""
    process = os.getpid()
    while process != ancestor and process:
        process = _look_up(process)[1]
    return process == ancestor


def _look_up(process: int) -> tuple[str, int]:
    """Return the name of a process and its parent, or nothing and 0 where there is no such process, or no Linux."""
    try:
        name, _, state = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    except OSError:
        return "", 0
    return name.partition("(")[2], int(state.split()[1])


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in {"", "localhost"}
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _remove_partials(outputs: Iterable[Path]) -> None:
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = re.compile(r"\.partial-\d+-" + re.escape(output.name))
        for path in output.parent.iterdir():
            if partial.fullmatch(path.name):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
