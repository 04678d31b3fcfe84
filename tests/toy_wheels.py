"""Wheels of a few bytes, a pip that finds no others, and a cache of the test's own."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from stages.lib.pins import WheelPin
from stages.lib.tree import tree_sha256

SPACY = {"pkg/spacy/config.cfg": "[nlp]", "pkg/spacy/meta.json": "{}", "pkg/spacy/ner/model": "weights"}
ONTOLOGY = {"pkg/data/hp.obo": "terms", "pkg/data/phenotype.hpoa": "diseases", "pkg/data/genes.txt": "not wanted"}
REVISION = "0123456789abcdef0123456789abcdef01234567"
ZEROS = "0" * 64


def isolate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the test into an empty workspace and cache; return the folder that is pip's only source of wheels."""
    for name in ("links", "workspace"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "workspace")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "links"


def make_wheel(links: Path, files: Mapping[str, str], *, name: str = "pkg") -> WheelPin:
    """Put a wheel into `links` that says it needs a Python of the future; return its pin."""
    path = links / f"{name}-1.0-py3-none-any.whl"
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Python: >=3.99\n"
        "Requires-Dist: absent\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for entry, text in files.items():
            wheel.writestr(entry, text)
        for entry, text in about.items():
            wheel.writestr(f"{name}-1.0.dist-info/{entry}", text)
    return WheelPin(wheel=f"{name}==1.0", sha256=tree_sha256(path), member=f"{name}/spacy", licence="MIT")
