"""Find what params.yaml names in data/incoming, and nothing outside it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from stages.lib.stage import StageError


def _relative(name: str) -> str:
    path = PurePosixPath(name)
    if not name.strip() or path.is_absolute() or ".." in path.parts or "\\" in name or path == PurePosixPath("."):
        raise ValueError("name a file inside data/incoming, relative to it and without '..'")
    if not name.isprintable() or any(len(os.fsencode(part)) > 255 for part in path.parts):
        raise ValueError("no file can have such a name: it is too long, or holds control characters")
    return name


RelativeFile = Annotated[str, AfterValidator(_relative)]


def find(incoming: Path, name: str, *, key: str) -> Path:
    """Return the path of `name`, a file or folder in `incoming`.

    Raises StageError, naming `key` of params.yaml, where there is none, a link leads out of the folder or nowhere, it
    can't be read, or it is a pipe or a device.
    """
    path = incoming / name
    if not path.exists():
        state = "is a link that leads nowhere" if path.is_symlink() else f"is not in {incoming}"
        raise StageError(f"params.yaml: {key}: '{name}' {state}; {incoming} holds {_contents(incoming)}")
    if not path.resolve().is_relative_to(incoming.resolve()):
        raise StageError(f"params.yaml: {key}: '{name}' is a link that leads out of {incoming}; copy the file there")
    if not path.is_file() and not path.is_dir():
        raise StageError(f"params.yaml: {key}: '{name}' is a pipe, a socket or a device; name a file or a folder")
    if not os.access(path, os.R_OK):
        raise StageError(f"params.yaml: {key}: '{name}' may not be read; change its permissions")
    return path


def _contents(incoming: Path, most: int = 20) -> str:
    names = sorted(
        path.relative_to(incoming).as_posix()
        for path in incoming.rglob("*")
        if path.is_file() and path.name not in {"README.md", ".gitignore"} and path.suffix != ".dvc"
    )
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(map(shown, names[:most])) or "no data") + more


def shown(name: str) -> str:
    """Return a file's name for a message, without line ends or what else would fool a terminal."""
    return name if name.isprintable() else ascii(name)
