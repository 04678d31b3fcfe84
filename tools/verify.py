"""Run a commit again, from nothing, and compare every output with its dvc.lock: `python -m tools.verify [STAGE…]`.

The run is in a scratch clone with an empty cache of DVC; with stages named, it ends with them. Exit 1 on a difference.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stages.lib.launcher import error_lines
from stages.lib.stage import StageError
from tools.deviations import deviation, machine

Lock = Mapping[str, Mapping[str, Any]]


def verify(revision: str, stages: Sequence[str]) -> list[str]:
    """Return what is to be told, first whether the commit was reproduced; raise StageError with all that differs."""
    commit = said("git", "rev-parse", "--verify", f"{revision}^{{commit}}").strip()
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        clone = Path(scratch, "clone")
        committed = checked_out(commit, clone)
        if wrong := contradictions(clone, stages):
            raise StageError("\n".join([*wrong, f"{commit[:7]} is not what was run; run `dvc repro` and commit"]))
        again = rerun(clone, stages)
        differing = list(differences(committed, again, clone, commit))
        reasons = machine(clone / "requirements.lock") if differing else []
    count, of = sum(len(stage.get("outs", [])) for stage in again.values()), f"dvc.lock at {commit[:7]}"
    if differing:
        head = f"not reproduced: {len(differing)} of {count} outputs differ from {of}; look at the first"
        raise StageError("\n".join([*differing, head, *reasons]))
    return [f"reproduced: {count} outputs of {len(again)} stages are those of {of}"]


def checked_out(commit: str, clone: Path) -> Lock:
    """Clone the commit, bring data/incoming, which is in no commit, and return the stages of its dvc.lock."""
    said("git", "clone", "--quiet", "--no-checkout", ".", str(clone))
    said("git", "checkout", "--quiet", "--detach", commit, folder=clone)
    if Path("data/incoming").is_dir():
        shutil.copytree("data/incoming", clone / "data/incoming", dirs_exist_ok=True)
    if not (clone / "dvc.lock").exists():
        raise StageError(f"dvc.lock: not in {commit[:7]}; nothing was run there that could be compared")
    return read_lock(clone)


def contradictions(clone: Path, stages: Sequence[str]) -> list[str]:
    """Return, a line each, the inputs and committed outputs of a fresh clone that are not those of its dvc.lock."""
    said_of_stages = json.loads(said(*dvc("status", "--json", *with_deps(stages)), folder=clone))
    changed = [(name, change) for name, changes in said_of_stages.items() for change in changes]
    commands = [f"{name}: its command" for name, change in changed if not isinstance(change, dict)]
    files = [
        f"{name}: {path}"
        for name, change in changed
        if isinstance(change, dict)
        for paths in change.values()
        for path, state in paths.items()
        if state not in ("deleted", "not in cache")  # as is all that no run has made yet
    ]
    return [f"{what} is not what dvc.lock records" for what in sorted({*commands, *files})]


def rerun(clone: Path, stages: Sequence[str]) -> Lock:
    """Run the stages, and those before them, as if never run, with DVC's own output; return the new dvc.lock."""
    (clone / "dvc.lock").unlink()
    done = subprocess.run(dvc("repro", "--no-run-cache", *stages), cwd=clone, env=environment(), check=False)
    if done.returncode:
        raise StageError("the run failed as said above; nothing was compared")
    return read_lock(clone)


def differences(committed: Lock, again: Lock, clone: Path, commit: str) -> Iterator[str]:
    """Yield a line for every output whose hash is another one, with how far its numbers are off where git has them."""
    for name, stage in again.items():
        before = {out["path"]: out["md5"] for out in committed.get(name, {}).get("outs", [])}
        for out in stage.get("outs", []):
            path = out["path"]
            if out["md5"] == before.get(path):
                continue
            kept = (clone / path).is_file() and said("git", "ls-tree", commit, path, folder=clone)
            text = said("git", "show", f"{commit}:{path}", folder=clone) if kept else ""
            how = f": {deviation(text, (clone / path).read_text(), path=path)}" if kept else ""
            yield f"{name}: {path} differs{how}"


def read_lock(folder: Path) -> Lock:
    """Return the stages of the dvc.lock in `folder`."""
    stages: Lock = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return stages


def with_deps(stages: Sequence[str]) -> list[str]:
    """Return the arguments by which DVC takes the stages before those named too; none if none is named."""
    return ["--with-deps", *stages] if stages else []


def dvc(*arguments: str) -> list[str]:
    """Return a command of the DVC of this interpreter."""
    return [sys.executable, "-m", "dvc", *arguments]


def environment() -> dict[str, str]:
    """Return this environment with the interpreter's folder first on PATH, where stages find `python`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def said(*command: str, folder: Path | None = None) -> str:
    """Return what a command prints; raise StageError with its error if it fails."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageError(f"`{' '.join(command)}`: {' '.join(done.stderr.split())}")
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.verify", description=__doc__)
    parser.add_argument("--rev", default="HEAD", help="the commit to run again (default: HEAD)")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="where the run may end (default: with the last)")
    chosen = parser.parse_args()
    try:
        print("\n".join(verify(chosen.rev, chosen.stages)))
    except StageError as error:
        sys.exit(error_lines(error))
