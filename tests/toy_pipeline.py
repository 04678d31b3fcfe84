"""A pipeline of two stages under the real runner: tests/toy, a copy of stages/lib, git and DVC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNNER = ["stage.py", "isolation.py", "launcher.py", "params.py"]


def make_toy(workspace: Path) -> Path:
    """Lay the toy out in `workspace`, without git and DVC, and return it."""
    shutil.copytree(ROOT / "tests/toy", workspace, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    (workspace / "pipeline.yaml").rename(workspace / "dvc.yaml")  # so named, it would be a part of our own pipeline
    (workspace / "stages/lib").mkdir()
    for name in RUNNER:
        shutil.copy(ROOT / "stages/lib" / name, workspace / "stages/lib")
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, workspace)
    return workspace


def initialise(workspace: Path) -> Path:
    """Make `workspace` a repository of git and DVC, and return it."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=workspace, check=True)
    dvc(workspace, "init", "--quiet", "--force")
    shutil.copy(ROOT / ".dvc/config", workspace / ".dvc")
    return workspace


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a command: this interpreter first on PATH, no analytics."""
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": binaries, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": ""} | changes


def dvc(workspace: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a DVC command and return it, with its output, once it has succeeded."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(
        command, cwd=workspace, env=environment(**changes), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def git(workspace: Path, *arguments: str, code: int = 0) -> str:
    """Run a git command that ends with `code`, as somebody, and return what it printed."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def run_tool(workspace: Path, name: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tools.NAME` and return it, with its output, however it ended."""
    command = [sys.executable, "-m", f"tools.{name}", *arguments]
    return subprocess.run(
        command, cwd=workspace, env=environment(**changes), capture_output=True, text=True, check=False
    )


def make_repository(workspace: Path) -> Path:
    """Lay the toy out with the tools, run it, commit it, and return it."""
    initialise(make_toy(workspace))
    shutil.copytree(ROOT / "tools", workspace / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitattributes", "requirements.lock"):
        shutil.copy(ROOT / name, workspace)
    dvc(workspace, "repro")
    git(workspace, "add", "--all")
    git(workspace, "add", "--force", "data/cases.csv")
    git(workspace, "commit", "--quiet", "--message", "run")
    return workspace


def run_stage(workspace: Path, name: str = "first", **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m stages.NAME` and return it, with its output, however it ended."""
    command = [sys.executable, "-m", f"stages.{name}"]
    return subprocess.run(
        command, cwd=workspace, env=environment(**changes), capture_output=True, text=True, check=False
    )


def replace(path: Path, old: str, new: str) -> None:
    """Replace `old`, which must be there, in the file."""
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new))


def body(workspace: Path, code: str) -> None:
    """Have `first` do something else: its outputs are `doubled` and `counts`."""
    path = workspace / "stages/first.py"
    head, _, rest = path.read_text().partition("    header, *rows")
    lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
    path.write_text(f"{head}{lines}\n\nif __name__{rest.partition('if __name__')[2]}")


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the error lines of a stage that failed as it should: exit 1, no traceback."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]
