"""Files made to harm, or broken in odd ways: refused in one line, in little memory, and nothing is left anywhere."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.lib.stage import StageError
from stages.sources import decoding, tables
from stages.sources.cells import LONGEST_TEXT
from stages.sources.files import FileParams
from stages.sources.incoming import find
from tests.toy_files import COLUMNS, HEADER, ROWS, SECRET, as_parquet, objects, read_files, read_one


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """Return data/incoming with a folder, beside a file that is none of its business."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.csv").write_text(HEADER + ROWS)
    (tmp_path / "incoming" / "sub").mkdir(parents=True)
    (tmp_path / "incoming" / "sub" / "x.csv").write_text(HEADER + ROWS)
    return tmp_path / "incoming"


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("x.csv", "../outside/x.csv", "leads out of"),
        ("folder/x.csv", "../outside", "leads out of"),
        ("x.csv", "/etc/hostname", "leads out of"),
        ("x.csv", "nowhere.csv", "is a link that leads nowhere"),
        ("x.csv", "x.csv", "is a link that leads nowhere"),
        ("folder/x.csv", "folder", "is not in"),
    ],
)
def test_links_lead_nowhere_else(incoming: Path, name: str, target: str, expected: str) -> None:
    (incoming / Path(name).parts[0]).symlink_to(target)
    with pytest.raises(StageError, match=expected):
        read_files(incoming, {"file": name})


def test_links_within_the_folder_are_followed(incoming: Path) -> None:
    (incoming / "x.csv").symlink_to("sub/x.csv")
    (incoming / "folder").symlink_to("sub")
    assert len(read_files(incoming, {"file": "x.csv"}).records) == 2
    assert len(read_files(incoming, {"file": "folder/x.csv"}).records) == 2


def test_pipes_sockets_devices_and_folders_are_not_opened(incoming: Path) -> None:
    os.mkfifo(incoming / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(incoming / "socket.csv"))
        for name in ("pipe.csv", "socket.csv"):
            with pytest.raises(StageError, match="is a pipe, a socket or a device"):
                find(incoming, name, key="acquire.x")
    (incoming / "folder.csv").mkdir()
    with pytest.raises(StageError, match="is a folder"):
        read_files(incoming, {"file": "folder.csv"})


@pytest.mark.parametrize("name", ["../x.csv", "/x.csv", "a/../../x.csv", "x\n.csv", "\x1b[31m.csv", "a" * 300 + ".csv"])
def test_names_that_leave_the_folder_or_fool_a_terminal_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"name a file inside|no file can have such a name"):
        FileParams.model_validate({"file": name, "columns": COLUMNS})


def test_a_message_about_odd_file_names_is_one_line(incoming: Path) -> None:
    (incoming / "a\nb.csv").touch()
    with pytest.raises(StageError, match=r"holds 'a\\nb.csv', sub/x.csv$"):
        find(incoming, "y.csv", key="acquire.x")


@pytest.mark.parametrize("before", [1, 5000])
@pytest.mark.parametrize("last", [b"caf\xe9,Flu\n", b"caf\xc3"])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_second_encoding_far_into_a_file_is_told_with_its_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, last: bytes, name: str
) -> None:
    monkeypatch.setattr(decoding, "BLOCK", 1000)
    content = HEADER.encode() + "1,a,café,Flu\n".encode() * before + b"2,b," + last
    position = content.rindex(b"caf") + 3
    with pytest.raises(StageError, match=rf"byte {position} is not utf-8"):
        read_one(tmp_path, gzip.compress(content, 1) if name.endswith(".gz") else content, name=name)


def test_utf_16_without_a_mark_is_told(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="byte 0 is not utf-16"):
        read_one(tmp_path, (HEADER + ROWS).encode("utf-16-be"), encoding="utf-16")


@pytest.mark.parametrize("encoding", ["zlib", "rot13", "undefined", "x" * 99])
def test_codecs_that_are_no_text_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(ValidationError, match="no such encoding"):
        FileParams.model_validate({"file": "x.csv", "columns": COLUMNS, "encoding": encoding})


def test_a_hundred_thousand_columns_are_read_and_not_shown(tmp_path: Path) -> None:
    more = ",".join(f"column{number}" for number in range(100_000))
    wide = f"id,patient,note,dx,{more}\n1,a,cough,Flu,{',' * 99_999}\n"
    assert read_one(tmp_path, wide).records["text"].tolist() == ["cough"]
    with pytest.raises(StageError) as error:
        read_one(tmp_path, wide.replace("note", "story", 1))
    assert "no column for text: 'note'" in str(error.value)
    assert "and 99,984 more" in str(error.value)
    assert len(str(error.value)) < 1000


def test_objects_with_ever_new_names_are_not_remembered(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"id": n, "patient": n, "dx": "Flu", f"new{n}": "x"}) for n in range(5000))
    with pytest.raises(StageError, match=r"no column for text: 'note'; it has id, patient, dx, .* and \d+ more"):
        read_one(tmp_path, lines, name="x.jsonl")


def test_long_lines_and_cells_are_rejected_and_the_next_row_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LONGEST_OBJECT", 1000)
    long = json.dumps(objects()[0] | {"note": "a" * 5000})
    found = read_one(tmp_path, "\n".join([long, json.dumps(objects()[1])]), name="x.jsonl")
    assert found.rejected == [("x.jsonl", "1", "a line of more than 1,000 characters")]
    assert found.records["text"].tolist() == ["rash"]
    found = read_one(tmp_path, HEADER + f"1,a,{'b' * (LONGEST_TEXT + 1)},Flu\n2,a,{'c' * 200_000},Flu\n")
    assert found.rejected == [("cases.csv", "2", f"text longer than {LONGEST_TEXT:,} characters")]
    assert found.records["text"].str.len().tolist() == [200_000]


@pytest.mark.parametrize("content", [HEADER + '1,a,"', HEADER + "1,a,"])
def test_a_cell_or_line_without_end_is_an_error_before_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(tables, "LONGEST_CELL", 10_000)
    monkeypatch.setattr(tables, "LONGEST_LINE", 10_001)
    with pytest.raises(StageError, match=r"row 2 is broken|line 2 has 10,001 characters or more"):
        read_one(tmp_path, content + f"{SECRET}\n" * 100_000 if '"' in content else content + SECRET * 100_000)


def test_gzipped_text_is_read_and_bombs_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = gzip.compress((HEADER + ROWS).encode())
    assert len(read_one(tmp_path, content, name="x.csv.gz").records) == 2
    with pytest.raises(StageError, match="is not gzip or is truncated"):
        read_one(tmp_path, content[:-9], name="x.csv.gz")
    with pytest.raises(StageError, match="is not gzip or is truncated"):
        read_one(tmp_path, HEADER.encode(), name="x.csv.gz")
    monkeypatch.setattr(decoding, "FREE_EXPANSION", 10_000)
    bomb = gzip.compress((HEADER + "1,a,b,Flu\n" * 100_000).encode())
    with pytest.raises(StageError, match="unpacks to over 100 times its size"):
        read_one(tmp_path, bomb, name="x.csv.gz")


def test_a_json_file_too_large_to_be_read_whole_says_what_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LARGEST_JSON", 100)
    with pytest.raises(StageError, match="is longer than 100 characters; use JSON Lines"):
        read_one(tmp_path, json.dumps(objects() * 10), name="x.json")


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    rows = [{"id": n, "patient": n, "note": f"{n} " + "cough " * 100, "dx": "Flu"} for n in range(20_000)]
    lines = {"x.csv": HEADER + "".join(f"{','.join(map(str, row.values()))}\n" for row in rows)}
    text = lines.get(name, "\n".join(map(json.dumps, rows)))
    content = as_parquet(tmp_path, rows) if name == "x.parquet" else text.encode()
    (tmp_path / name).write_bytes(content)
    params = FileParams.model_validate({"file": name, "columns": COLUMNS})
    keys = params.columns.names()
    tracemalloc.start()
    count = sum(1 for _ in tables.read_rows(tmp_path / name, columns=keys, encoding="utf-8", key="acquire.x"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 * 2**20 < 10 * 2**20 < sum(len(row["note"]) for row in rows)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["csv", "tsv", "jsonl", "json", "parquet", "csv.gz", "jsonl.gz"]))
def test_any_bytes_are_cases_rejections_or_an_error_of_a_stage(content: bytes, suffix: str) -> None:
    head = {"csv": HEADER.encode(), "parquet": b"PAR1", "jsonl": b'{"id": 1, "note": ', "json": b"["}
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(StageError):
        read_one(Path(folder), head.get(suffix, b"") + content, name=f"x.{suffix}")
