"""Find what params.yaml names in data/incoming, and nothing outside it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from stages.lib.stage import StageError


def _relative(name: str) -> str:
    path = PurePosixPath(name)
    if not name.strip() or path.is_absolute() or ".." in path.parts or "\\" in name or path == PurePosixPath("."):
        raise ValueError("name a file inside data/incoming, relative to it and without '..'")
    return name


RelativeFile = Annotated[str, AfterValidator(_relative)]


def find(incoming: Path, name: str, *, key: str) -> Path:
    """Return the path of `name` in `incoming`.

    Raises StageError, naming `key` of params.yaml, where there is none or a link leads out of the folder.
    """
    path = incoming / name
    if not path.exists():
        raise StageError(f"params.yaml: {key}: '{name}' is not in {incoming}, which holds {_contents(incoming)}")
    if not path.resolve().is_relative_to(incoming.resolve()):
        raise StageError(f"params.yaml: {key}: '{name}' is a link that leads out of {incoming}; copy the file there")
    return path


def _contents(incoming: Path, most: int = 20) -> str:
    names = sorted(
        path.relative_to(incoming).as_posix()
        for path in incoming.rglob("*")
        if path.is_file() and path.name not in {"README.md", ".gitignore"} and path.suffix != ".dvc"
    )
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "no data") + more
