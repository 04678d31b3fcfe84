"""The user's cache, which workspaces share: made once, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from stages.lib.stage import cache_folder


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait for, and hold, the lock of what is, or will be, at `path` in the cache."""
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept(kind: str, name: str, *, make: Callable[[Path], None]) -> Path:
    """Return the folder `name` among those of its kind; `make` writes it at the path that it is given, if need be."""
    folder = cache_folder(kind) / name
    with alone(folder):
        if not folder.exists():
            partial = folder.with_name(f".partial-{name}")
            shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
            make(partial)
            os.replace(partial, folder)
    return folder
