"""Pinned content: a pin in, verified files on this disk out."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from io import FileIO
from pathlib import Path
from typing import IO
from zipfile import ZipFile

from stages.lib.cache import alone
from stages.lib.download import download
from stages.lib.hub import snapshot, table
from stages.lib.isolation import die_with_parent
from stages.lib.pins import HubPin, PathPin, TablePin, UrlPin, WheelPin
from stages.lib.stage import StageError, cache_folder, log
from stages.lib.tree import require_sha256, tree_files, tree_sha256


@dataclass(frozen=True)
class Source:
    """Verified content on this disk: a file, a folder or, with `member`, a part of the wheel at `path`.

    `key` is the pin's place in params.yaml. Links in a folder may lead to files below `root`, by default the folder.
    """

    key: str
    path: Path
    member: str | None = None
    root: Path | None = None


def bring(pin: WheelPin | HubPin | PathPin | UrlPin, *, key: str, files: Sequence[str] = ("**",)) -> Source:
    """Return the content that `pin` names, downloaded unless a cache holds it.

    `files` limits what is downloaded of a model of the hub: patterns as of `unpack`. Raises StageError where the
    content cannot be had or differs from the pin.
    """
    key = f"params.yaml: {key}"
    if isinstance(pin, WheelPin):
        return Source(key, _wheel(pin, key), pin.member)
    if isinstance(pin, UrlPin):
        return Source(key, download(pin, key=key))
    if isinstance(pin, TablePin):
        return Source(key, table(pin, key=key))
    if isinstance(pin, HubPin):
        folder = snapshot(pin, key=key, files=files)
        return Source(key, folder, root=folder.parents[1])  # the hub's cache links snapshots/<revision>/ to blobs/
    return Source(key, _local(pin, key))


def unpack(source: Source, target: Path, *, files: Sequence[str]) -> list[str]:
    """Copy the files of `source` that match into a new folder; return the names of all that it holds, sorted.

    A pattern is matched against names at the top of the folder; '**' stands for everything.
    """
    target.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        entries = _entries(source, stack)
        for name, open_entry in entries.items():
            if any(pattern == "**" or ("/" not in name and fnmatchcase(name, pattern)) for pattern in files):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                with open_entry() as content, (target / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
    return list(entries)


def _entries(source: Source, stack: contextlib.ExitStack) -> dict[str, Callable[[], IO[bytes]]]:
    """Return how to open each file of `source`, by its name, sorted; refuse names that lead out of the folder."""
    if source.member is None:
        paths = (
            {source.path.name: source.path}
            if source.path.is_file()
            else tree_files(source.path, source.key, source.root)
        )
        return {name: partial(FileIO, path) for name, path in paths.items()}
    wheel = stack.enter_context(ZipFile(source.path))
    members = {
        (Path(name).name if name == source.member else name.removeprefix(f"{source.member}/")): name
        for name in sorted(wheel.namelist())
        if not name.endswith("/") and (name == source.member or name.startswith(f"{source.member}/"))
    }
    if unsafe := [name for name in members if "\\" in name or {"", ".."} & set(name.split("/"))]:
        raise StageError(f"{source.key}.wheel: {unsafe[0]!r} in it leads out of its folder; do not use this wheel")
    if not members:
        there = sorted({"/".join(name.split("/")[:2]) for name in wheel.namelist() if ".dist-info/" not in name})
        raise StageError(f"{source.key}.member: not in the wheel: {source.member}; it holds {', '.join(there)}")
    return {short: partial(wheel.open, name) for short, name in members.items()}


def _wheel(pin: WheelPin, key: str) -> Path:
    folder = cache_folder("downloads")
    wheel, partial_folder = folder / pin.sha256, folder / f".partial-{pin.sha256}"
    with alone(wheel):
        if wheel.is_file() and tree_sha256(wheel) == pin.sha256:
            log.info("%s (%s): cached", pin.wheel, pin.licence)
            return wheel
        wheel.unlink(missing_ok=True)
        # Whoever held the lock before may have been killed.
        shutil.rmtree(partial_folder, ignore_errors=True)
        log.info("%s (%s): downloading with pip", pin.wheel, pin.licence)
        try:
            found = _download(pin, partial_folder, key=key)
            require_sha256(tree_sha256(found), pin.sha256, key=key, name=pin.wheel)
            log.info("%s: downloaded %.1f MB", pin.wheel, found.stat().st_size / 1e6)
            os.replace(found, wheel)
        finally:
            shutil.rmtree(partial_folder, ignore_errors=True)
    return wheel


def _download(pin: WheelPin, folder: Path, *, key: str) -> Path:
    """Have pip download the wheel, so that its index, mirrors, proxies and certificates are the user's."""
    options = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--no-input", "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, pin.wheel],
        preexec_fn=die_with_parent,
        stdout=sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL,  # pip's progress bar
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    if done.returncode:
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = (lines or done.stderr.splitlines()[-1:] or [f"it ended with status {done.returncode}"])[0]
        raise StageError(
            f"{key}.wheel: pip cannot get {pin.wheel}: {reason}; check the pin, the network and `pip config list`"
        )
    return next(folder.glob("*.whl"))


def _local(pin: PathPin, key: str) -> Path:
    path = Path(pin.path).expanduser()
    if not path.exists():
        raise StageError(f"{key}.path: {path}: not found from {Path.cwd()}; give a folder or a file")
    here, incoming = path.resolve(), Path("data", "incoming").resolve()
    if here.is_relative_to(incoming) or incoming.is_relative_to(here):
        raise StageError(f"{key}.path: {path}: the stage that uses the network never reads data/incoming; move it")
    require_sha256(tree_sha256(path, f"{key}.path"), pin.sha256, key=key, name=str(path))
    log.info("%s (%s): as pinned", path, pin.licence)
    return path
