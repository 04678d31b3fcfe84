"""Keep a stage to itself: no network, no life after its parent, no second run in one workspace."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import ipaddress
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
}
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

PR_SET_PDEATHSIG = 1


class StageError(Exception):
    """An expected failure, in one line: what, where and what to do."""


def die_with_parent() -> None:
    """Have this process killed when its parent dies: an orphan would publish into the next run."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        threading.Thread(target=watch, daemon=True).start()


def refuse_network(stage: str) -> list[str]:
    """Refuse every connection but loopback for good, by audit hook; return the list that collects attempts."""
    refused: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            host = arguments[1][0] if isinstance(arguments[1], tuple) else None
        elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
            host = arguments[0]
        else:
            return
        host = host.decode() if isinstance(host, bytes) else host
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}
