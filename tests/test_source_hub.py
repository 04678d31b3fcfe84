"""Tables that `fetch` brought become cases as a user's own files do; what is not there is answered by what is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.lib.stage import StageError
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.hub import HubParams, read

COLUMNS = {"text": "note", "diagnosis": "dx"}


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Return inputs with a table of the hub, one from an address, and an archive."""
    for name in ("incoming", "fetched"):
        (tmp_path / name).mkdir()
    table = pd.DataFrame({"note": ["fever", "rash", "itch"], "dx": ["Flu", "Measles", None], "age": [3, 4, 5]})
    table.to_parquet(tmp_path / "fetched" / "cases.parquet")
    (tmp_path / "fetched" / "more.csv").write_text("note,dx\ncough,Flu\n")
    (tmp_path / "fetched" / "store.zip").write_bytes(b"")
    return Inputs(tmp_path / "incoming", tmp_path / "fetched", tmp_path, seed=0)


def read_all(inputs: Inputs, *items: dict[str, Any]) -> list[Case | Rejected]:
    return list(read([HubParams.model_validate({"columns": COLUMNS} | item) for item in items], inputs))


def test_tables_of_every_origin_become_cases_with_ids_of_their_own(inputs: Inputs) -> None:
    items = read_all(inputs, {"data": "cases", "columns": COLUMNS | {"age": "age"}}, {"data": "more"})
    cases = [item for item in items if isinstance(item, dict)]
    assert [(case["text"], case["diagnosis"], case["age"]) for case in cases] == [
        ("fever", "Flu", 3.0),
        ("rash", "Measles", 4.0),
        ("cough", "Flu", None),
    ]
    assert len({case["record_id"] for case in cases}) == 3
    assert [item for item in items if isinstance(item, Rejected)] == [Rejected("cases.parquet", "3", "no diagnosis")]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"data": "absent"},
            r"acquire\.hub\[1\]\.data: 'absent' is not in fetch\.data; choose from cases, more, store",
        ),
        ({"data": "../incoming/mine"}, r"acquire\.hub\[1\]\.data: '../incoming/mine' is not in fetch\.data"),
        ({"data": "store"}, r"acquire\.hub\[1\]\.data: 'store' is store\.zip, which is no table \(\.csv"),
        ({"data": "more", "columns": COLUMNS | {"sex": "gender"}}, r"acquire\.hub\[1\]\.columns: .* sex: 'gender'"),
    ],
)
def test_what_is_not_there_is_answered_by_what_is(inputs: Inputs, item: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=message):
        read_all(inputs, {"data": "cases"}, item)


def test_an_empty_folder_is_told_as_such(inputs: Inputs) -> None:
    for path in inputs.fetched.iterdir():
        path.unlink()
    with pytest.raises(StageError, match=r"'cases' is not in fetch\.data; pin it there; nothing is"):
        read_all(inputs, {"data": "cases"})
