"""Pins of the hub, against a server on this machine that answers as the hub does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from toy_wheels import REVISION

from stages.lib.content import bring, unpack
from stages.lib.pins import HubPin
from stages.lib.stage import StageError


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve the repository org/name at REVISION as the hub does; yield the requests, as they come."""
    from huggingface_hub import constants

    files = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickle"}
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path}")
            name = self.path.rpartition("/")[2]
            if self.path.startswith(f"/api/models/org/name/tree/{REVISION}"):
                tree = [{"type": "file", "path": path, "oid": path, "size": len(body)} for path, body in files.items()]
                self.answer(200, json.dumps(tree).encode())
            elif self.path == f"/org/name/resolve/{REVISION}/{name}" and name in files:
                self.answer(200, files[name], ETag=f'"{name}"', **{"X-Repo-Commit": REVISION})
            else:
                code = "GatedRepo" if "gated" in self.path else "RepoNotFound"
                code = "RevisionNotFound" if "org/name" in self.path else code
                self.answer(403 if code == "GatedRepo" else 404, b"{}", **{"X-Error-Code": code})

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", here)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants._HF_DEFAULT_ENDPOINT, here)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield requests
        server.shutdown()


def test_a_model_of_the_hub_comes_once_and_without_pickles(hub: list[str], tmp_path: Path) -> None:
    pin = HubPin(hub="org/name", revision=REVISION, licence="MIT")
    source = bring(pin, key="fetch.model", files=["*.json", "model*.safetensors"])
    assert unpack(source, tmp_path / "out", files=["**"]) == ["config.json", "model.safetensors"]
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == b"weights"
    assert not any("pytorch_model" in request for request in hub)
    hub.clear()
    bring(pin, key="fetch.model", files=["*.json", "model*.safetensors"])
    assert hub == []


def test_a_part_of_a_hub_model_in_the_cache_is_completed(hub: list[str], tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download("org/name", "config.json", revision=REVISION)
    pin = HubPin(hub="org/name", revision=REVISION, licence="MIT")
    source = bring(pin, key="fetch.model", files=["*.json", "model*.safetensors"])
    assert unpack(source, tmp_path / "out", files=["**"]) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("name", "revision", "message"),
    [
        ("org/absent", REVISION, "fetch.model.hub: org/absent is not on the hub, or is private"),
        ("org/gated", REVISION, "is gated: accept its terms"),
        ("org/name", "f" * 40, "has no commit ffff"),
    ],
)
def test_what_the_hub_refuses_is_one_line(hub: list[str], name: str, revision: str, message: str) -> None:
    with pytest.raises(StageError, match=message) as error:
        bring(HubPin(hub=name, revision=revision, licence="MIT"), key="fetch.model", files=["*.json"])
    assert len(str(error.value).splitlines()) == 1


def test_an_unreachable_hub_is_one_line(hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(StageError, match=r"cannot be downloaded: .*check the network") as error:
        bring(HubPin(hub="org/name", revision=REVISION, licence="MIT"), key="fetch.model", files=["*.json"])
    assert len(str(error.value).splitlines()) == 1
    assert hub == []
