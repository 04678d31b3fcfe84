"""Bring what a commit shares from its remote, whole and checked: `python -m tools.pull`.

`dvc pull` alone fails for the outputs that are never pushed; with --allow-missing it passes over all that is missing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from stages.lib.launcher import error_lines
from stages.lib.params import read_document
from stages.lib.stage import StageError


def pull() -> None:
    """Pull every shared output; raise StageError where one is missing, or was damaged, in the remote."""
    remote = checked_remote()
    targets = shared(read_document("dvc.yaml")["stages"])
    if subprocess.run([sys.executable, "-m", "dvc", "pull", *targets], check=False).returncode:
        raise StageError(
            f"{', '.join(absent(targets)) or 'what DVC names above'} is missing in the remote '{remote}', or damaged "
            "there; have it pushed by a machine that has it (`dvc push`), or make it here (`dvc repro`)"
        )


def shared(stages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the outputs that all share: in DVC's cache, not `push: false`, and with no remote of their own."""
    items = [item for stage in stages.values() for kind in ("outs", "metrics", "plots") for item in stage.get(kind, [])]
    options = [item if isinstance(item, dict) else {item: {}} for item in items]
    return [
        path
        for item in options
        for path, chosen in item.items()
        if chosen.get("cache", True) and chosen.get("push", True) and "remote" not in chosen
    ]


def absent(targets: Sequence[str]) -> list[str]:
    """Return the outputs that the cache lacks, or parts of them; DVC's own error may name hashes alone."""
    command = [sys.executable, "-m", "dvc", "data", "status", "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = json.loads(found.stdout or "{}").get("not_in_cache", [])
    return [target for target in targets if target in {path.rstrip("/") for path in missing}]


def checked_remote() -> str:
    """Return the default remote's name; raise StageError if there is none, or if DVC would take all that it holds."""
    from dvc.repo import Repo

    with Repo() as repo:
        name: str | None = repo.config["core"].get("remote")
        verified = bool(name) and repo.config["remote"].get(name, {}).get("verify", False)
    if not name:
        raise StageError(".dvc/config: no remote to pull from; add one: `dvc remote add -d shared URL`")
    if not verified:
        raise StageError(
            f".dvc/config: DVC would not notice damage in '{name}'; run `dvc remote modify {name} verify true`"
        )
    return name


if __name__ == "__main__":
    try:
        pull()
    except StageError as error:
        sys.exit(error_lines(error))
