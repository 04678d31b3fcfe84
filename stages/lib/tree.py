"""The files below a folder, and one hash for all of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from stages.lib.isolation import StageError


def tree_files(folder: Path, key: str, root: Path | None = None) -> dict[str, Path]:
    """Return the files below `folder` by name, sorted.

    Raises StageError, naming `key`, for a link that leads to anything but a file below `root`, by default `folder`.
    """
    root = (root or folder).resolve()
    items = {item.relative_to(folder).as_posix(): item for item in folder.rglob("*")}
    for name, item in items.items():
        if item.is_symlink() and not (item.is_file() and item.resolve().is_relative_to(root)):
            raise StageError(f"{key}: {folder}: {name} is a link out of the folder or to no file; copy with `cp -rL`")
    return {name: items[name] for name in sorted(items) if items[name].is_file()}


def tree_sha256(path: Path, key: str = "sha256") -> str:
    """Return the hash of a file or of a folder's tree; `key` is for errors.

    A tree's is that of what prints in it: find -L . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum
    """
    if path.is_dir():
        lines = [f"{tree_sha256(file)}  {name}\n" for name, file in tree_files(path, key).items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_sha256(found: str, pinned: str, *, key: str, name: str) -> None:
    """Raise StageError, naming `key` of params.yaml, where `name` has another hash than is pinned."""
    if found != pinned:
        raise StageError(
            f"{key}.sha256: {name} has sha256 {found}, and {pinned} is pinned; pin the first if you trust the content"
        )
