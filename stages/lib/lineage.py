"""What an adapter was made of: a stage's inputs and parameters in, provenance.json and the base model's licence out."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.lib.stage import Strict

LIBRARIES = ("peft", "torch", "transformers")
LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*")


def write_provenance(adapter: Path, *, inputs: Mapping[str, Path], params: Strict) -> None:
    """Write provenance.json beside an adapter's weights, and the licence texts of the input `base`.

    It holds the hashes of all inputs as dvc.lock has them, so that `dvc` or git finds the data again, the parameters of
    the stage, the pin of the base model with its licence, and the versions of what computed; no time, host or folder.
    """
    base = inputs["base"]
    content = {
        "base_model": read_origin(base),
        "inputs": {name: {"md5": dvc_md5(path)} for name, path in sorted(inputs.items())},
        "params": params.model_dump(mode="json"),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    }
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    (adapter / "provenance.json").write_text(f"{text}\n", encoding="utf-8")
    for path in sorted(path for pattern in LICENCES for path in base.glob(pattern)):
        shutil.copyfile(path, adapter / path.name)


def read_origin(base: Path) -> dict[str, Any]:
    """Return the pin that `fetch` left beside a base model, {} if none; of a folder on a machine, its name only."""
    path = base / "origin.json"
    origin: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return origin | ({"path": Path(origin["path"]).name} if "path" in origin else {})


def dvc_md5(path: Path) -> str:
    """Return the hash of a file or folder as DVC 3 computes it.

    A folder's is that of the JSON list of its files' hashes and names, in the order of the names.
    """
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        entries = [{"md5": dvc_md5(path / name), "relpath": name} for name in names]
        return f"{hashlib.md5(json.dumps(entries).encode()).hexdigest()}.dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
