"""Archives of phenopackets: what they look like, how they are broken, and what hostile ones try."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import stat
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.stage import StageError
from stages.sources import archives
from stages.sources.archives import LARGEST, read_members
from tests.toy_sources import phenopacket, read_phenopackets, read_store, write_archive

MEMBERS: dict[str, Any] = {f"s/{n}.json": phenopacket(n) for n in range(6)} | {"s/bad.json": b"{", "s/x.txt": b"x"}


def as_bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def write_folder(path: Path, members: dict[str, Any]) -> Path:
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(as_bytes(content))
    return path


def reasons(path: Path) -> dict[str, str]:
    return {name: content for name, content in read_members(path) if isinstance(content, str)}


def test_a_folder_gives_what_a_zip_gives(tmp_path: Path) -> None:
    cases, rejected = read_store(tmp_path, MEMBERS)
    write_folder(tmp_path / "store", MEMBERS)
    same, rows = read_phenopackets(tmp_path, file="store")
    assert [case | {"file": "store"} for case in cases] == same
    assert [(row.row, row.reason) for row in rejected] == [(row.row, row.reason) for row in rows]


def test_a_single_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "cohort.json").write_text(json.dumps({"id": "c", "members": [phenopacket(0), phenopacket(1)]}))
    cases, _ = read_phenopackets(tmp_path, file="cohort.json")
    assert [case["row"] for case in cases] == ["cohort.json, member 1", "cohort.json, member 2"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not an archive", gzip.compress(b"a tar.gz", mtime=0)])
def test_what_is_no_zip_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.zip").write_bytes(content)
    with pytest.raises(StageError, match="is not a zip archive, or is truncated"):
        list(read_members(tmp_path / "store.zip"))


def test_a_truncated_zip_is_an_error(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "store.zip", MEMBERS)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(StageError, match="is not a zip archive, or is truncated"):
        list(read_members(path))


def test_an_archive_without_phenopackets_is_an_error(tmp_path: Path) -> None:
    write_archive(tmp_path / "store.zip", {"a.txt": b""})
    write_folder(tmp_path / "store", {"a.txt": b""})
    for name in ("store.zip", "store"):
        with pytest.raises(StageError, match=r"holds no \.json file"):
            list(read_members(tmp_path / name))


def test_a_damaged_member_is_rejected(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "store.zip", {"bad.json": phenopacket(1), "good.json": phenopacket()})
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    assert reasons(path) == {"bad.json": "damaged in the archive"}


def test_a_bomb_is_rejected_whatever_size_it_states(tmp_path: Path) -> None:
    path, size = tmp_path / "store.zip", 2**26
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b" " * size)
    honest = path.read_bytes()
    for stated, reason in ((size, "larger than 8,388,608 bytes"), (9, "damaged in the archive")):
        path.write_bytes(honest.replace(size.to_bytes(4, "little"), stated.to_bytes(4, "little")))
        tracemalloc.start()
        assert reasons(path) == {"bomb.json": reason}
        assert tracemalloc.get_traced_memory()[1] < 4 * LARGEST
        tracemalloc.stop()


@pytest.mark.parametrize(("bound", "most"), [("MEMBERS", 5), ("TOTAL", 2000)])
def test_an_archive_of_too_much_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    path = write_archive(tmp_path / "store.zip", MEMBERS)
    assert len(list(read_members(path))) == 7
    monkeypatch.setattr(archives, bound, most)
    with pytest.raises(StageError, match=r"holds more than .* unpack it"):
        list(read_members(path))


def test_names_lead_nowhere_and_links_are_not_followed(tmp_path: Path) -> None:
    names: dict[str, Any] = {"/etc/a.json": {}, "../../a.json": {}, "C:\\a.json": {}, "a\x1b[2J\u202e.json": {}}
    with zipfile.ZipFile(write_archive(tmp_path / "store.zip", names), "a") as archive:
        info = zipfile.ZipInfo("link.json")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert reasons(tmp_path / "store.zip") == {"link.json": "a link"}
    shown = [name for name, _ in read_members(tmp_path / "store.zip")]
    assert shown == ["../../a.json", "/etc/a.json", "C:\\a.json", "a?[2J?.json", "link.json"]
    assert [file.name for file in tmp_path.rglob("*")] == ["store.zip"]


def test_a_folder_gives_its_own_files_only(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "store", {"1.json": {}})
    (tmp_path / "out.json").write_text("{}")
    (folder / "out.json").symlink_to(tmp_path / "out.json")
    (folder / "dangling.json").symlink_to(tmp_path / "nothing")
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "pipe.json")
    expected = dict.fromkeys(("dangling.json", "folder.json", "out.json", "pipe.json"), "not a file of the folder")
    assert reasons(folder) == expected


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_first_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "store.zip", "w") as archive:
        for content in ("{}", "[]"):
            archive.writestr("a.json", content)
    assert [content for _, content in read_members(tmp_path / "store.zip")] == [b"{}", "another file has this name"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_usual_compression_is_read(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "store.zip", "w", method) as archive:
        archive.writestr("a.json", b"{}")
    assert reasons(tmp_path / "store.zip") == {"a.json": "compressed by another method than deflate"}


def test_an_encrypted_member_is_rejected(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "store.zip", {"a.json": {}})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert reasons(path) == {"a.json": "encrypted"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1))
def test_any_damage_is_a_reason_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[float, int]]
) -> None:
    path = write_archive(tmp_path_factory.getbasetemp() / "damaged.zip", MEMBERS)
    content = bytearray(path.read_bytes())
    for place, value in damage:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    with contextlib.suppress(StageError):
        assert all(isinstance(item, bytes | str) for _, item in read_members(path))
