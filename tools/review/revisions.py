"""Read what a run has left in git: the files of a revision, or of the working tree, as text and as tables."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stages.lib.stage import StageError

if TYPE_CHECKING:
    import pandas as pd

PREDICTIONS = "metrics/predictions.csv"
METRICS = ("evaluation", "splits", "acquisition", "scrubbing", "data_quality", "training")
PARAMS, LOCK = "params.yaml", "dvc.lock"
FILES = (PREDICTIONS, *(f"metrics/{name}.json" for name in METRICS), PARAMS, LOCK)
NEEDED = ("record_id", "gold", "tuned", "tuned_p_gold", "tuned_rank")
WORKING_TREE = "the working tree"


@dataclass(frozen=True)
class Revision:
    """A commit, or the working tree on top of it."""

    name: str
    """What the person calls it."""
    commit: str
    """Its full sha."""
    committed: bool
    """Whether its files are the commit's, not the working tree's."""

    def text(self, path: str) -> str | None:
        """Return a file by its path from the current folder, the root of the project; None where it is not there."""
        if not self.committed:
            return Path(path).read_text(encoding="utf-8") if Path(path).is_file() else None
        try:
            return git("show", f"{self.commit}:./{path}")
        except subprocess.CalledProcessError:
            return None

    def metrics(self, name: str) -> dict[str, Any]:
        """Return metrics/<name>.json; empty where it is not there."""
        return self._parsed(f"metrics/{name}.json", json.loads, ValueError)

    def params(self) -> dict[str, Any]:
        """Return params.yaml; empty where it is not there."""
        return self._parsed(PARAMS, yaml.safe_load, yaml.YAMLError)

    def lock(self) -> dict[str, Any]:
        """Return dvc.lock's stages by name; empty where it is not there."""
        stages: dict[str, Any] = self._parsed(LOCK, yaml.safe_load, yaml.YAMLError).get("stages", {})
        return stages

    def _parsed(self, path: str, parse: Any, fault: type[Exception]) -> dict[str, Any]:
        try:
            found = parse(self.text(path) or "{}")
        except fault:
            raise StageError(f"{self.name}: {path} cannot be read; `dvc repro` writes it anew") from None
        return found if isinstance(found, dict) else {}

    def predictions(self) -> pd.DataFrame:
        """Return the predictions by record_id; raise StageError where they are missing or miss a needed column."""
        import pandas as pd

        text = self.text(PREDICTIONS)
        if text is None:
            raise StageError(f"{self.name}: has no {PREDICTIONS}; choose a revision in which a run was committed")
        try:
            table = pd.read_csv(io.StringIO(text), dtype={"record_id": str, "gold": str, "tuned": str, "group": str})
        except ValueError:  # pandas' parser errors are among them
            table = pd.DataFrame()
        if missing := [column for column in NEEDED if column not in table]:
            raise StageError(f"{self.name}: {PREDICTIONS} lacks {', '.join(missing)}; `dvc repro` writes it anew")
        if table.empty or table["record_id"].duplicated().any() or table[list(NEEDED)].isna().any(axis=None):
            raise StageError(f"{self.name}: {PREDICTIONS} must hold one whole row per test case; `dvc repro evaluate`")
        return table.set_index("record_id")


def open_revision(name: str | None) -> Revision:
    """Return the revision that git knows by `name`, the working tree for None; raise StageError where there is none."""
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name or 'HEAD'}^{{commit}}").strip()
    except subprocess.CalledProcessError:
        hint = "`git log --oneline --all` lists them, `git fetch` brings a remote's"
        raise StageError(f"{name or 'HEAD'}: git knows no such revision here; {hint}") from None
    return Revision(name or WORKING_TREE, commit, committed=name is not None)


def commits_between(base: Revision, head: Revision) -> list[str]:
    """Return the commits that `head` has and `base` has not, newest first, each as its short sha and subject."""
    return git("log", "--format=%h %s", f"{base.commit}..{head.commit}").splitlines()


def git(*arguments: str) -> str:
    """Return what a git command prints."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", errors="replace")
