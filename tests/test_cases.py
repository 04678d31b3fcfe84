"""Golden cases: each folder of tests/cases/STAGE holds what a stage is given and what is expected of it.

`given` is laid over an empty workspace, params.yaml over ours; tables are JSON lines, NAME.parquet.jsonl. `expected`
names outputs with the fields that matter, or error.txt with what the stage must say before it exits with 1.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import ROOT, merge
from toy_pipeline import run_stage

from stages.lib.records import read_records, write_records

CASES = sorted(path.parent for path in (ROOT / "tests/cases").glob("*/*/expected"))


def lay_out(case: Path, workspace: Path, ner_models: Path) -> None:
    for name in ("dvc.yaml", "stages"):
        (workspace / name).symlink_to(ROOT / name)
    ours, own = (yaml.safe_load((folder / "params.yaml").read_text()) for folder in (ROOT, case))
    (workspace / "params.yaml").write_text(yaml.safe_dump(merge(ours, own)))
    (workspace / "models").mkdir()
    (workspace / "models/ner").symlink_to(ner_models)
    for folder in ("data/fetched", "data/ontology", "data/incoming", "metrics"):
        (workspace / folder).mkdir(parents=True)
    for path in sorted((case / "given").rglob("*.*")):
        target = workspace / path.relative_to(case / "given")
        if path.name.endswith(".parquet.jsonl"):
            write_records(pd.DataFrame(lines(path)), target.with_suffix(""))
        else:
            target.write_bytes(path.read_bytes())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def assert_holds(found: Any, expected: Any) -> None:
    """Assert that all of `expected` is in `found`, which may have more fields."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_holds(found[key], value)
    else:
        assert found == expected


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_stage_does_what_the_case_expects(case: Path, tmp_path: Path, ner_models: Path) -> None:
    lay_out(case, tmp_path, ner_models)
    done = run_stage(tmp_path, case.parent.name, XDG_CACHE_HOME=str(tmp_path / "cache"))
    error = case / "expected/error.txt"
    assert done.returncode == (1 if error.exists() else 0), done.stderr
    for path in sorted((case / "expected").rglob("*.*")):
        made = tmp_path / path.relative_to(case / "expected")
        if path == error:
            assert all(line in done.stderr for line in path.read_text(encoding="utf-8").splitlines()), done.stderr
        elif path.name.endswith(".parquet.jsonl"):
            rows = json.loads(read_records(made.with_suffix("")).to_json(orient="records"))
            assert len(rows) == len(lines(path))
            for row, expected in zip(rows, lines(path), strict=True):
                assert_holds(row, expected)
        elif path.suffix == ".csv":
            assert made.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
        else:
            assert_holds(json.loads(made.read_text()), json.loads(path.read_text()))
