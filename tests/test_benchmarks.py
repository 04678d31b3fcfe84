"""The benchmarks keep up with what they measure: each imports, and that of `validate` runs on a few records."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))
def test_a_benchmark_imports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    importlib.import_module(f"benchmarks.{name}")


def test_the_benchmark_of_validate_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(ROOT)
    benchmark = importlib.import_module("benchmarks.validate")
    benchmark.write_file(tmp_path, 4000, seed=1)
    for work in benchmark.WORKS:
        seconds, processor, memory = benchmark.measured(work, tmp_path)
        assert min(seconds, processor, memory) > 0
    assert "phi_hits" in (tmp_path / "data_quality.json").read_text()
