"""A server on this machine that answers as the Hugging Face hub does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from toy_wheels import REVISION

Files = dict[str, bytes]
ADDRESS = re.compile(r"/(?:api/)?((?:models/|datasets/)?[\w.-]+/[\w.-]+)/([\w-]+)/([\w-]+)/?(.*)")


@contextlib.contextmanager
def serve_hub(repositories: dict[str, Files], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve repositories, such as models/org/name, at REVISION, which is their branch main; yield the requests."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path}")
            status, body, headers = respond(repositories, self.path)
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
        point_at(f"http://127.0.0.1:{server.server_port}", cache, monkeypatch)
        yield requests
        server.shutdown()


def point_at(here: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the hub's libraries ask the server at `here` and keep what it gives in `cache`."""
    import datasets
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants._HF_DEFAULT_ENDPOINT, here)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", here)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", here)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def respond(repositories: dict[str, Files], address: str) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers."""
    path, _, query = address.partition("?")
    asked = ADDRESS.fullmatch(path.replace("%2F", "/"))
    if not asked:
        return 404, b"{}", {}
    repository, verb, revision, name = asked.groups()
    files = repositories.get(repository if repository.count("/") == 2 else f"models/{repository}")
    if files is None and "gated" in repository:
        return 403, b"{}", {"X-Error-Code": "GatedRepo"}
    if files is None:
        return 404, b"{}", {"X-Error-Code": "RepoNotFound"}
    if revision not in {REVISION, "main"}:
        return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
    if verb == "resolve" and name in files:
        etag = hashlib.sha256(files[name]).hexdigest()
        return 200, files[name], {"ETag": f'"{etag}"', "X-Repo-Commit": REVISION}
    if verb == "resolve":
        return 404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": REVISION}
    if verb == "revision":
        return 200, json.dumps({"id": repository.partition("/")[2], "sha": REVISION}).encode(), {}
    return (
        200,
        json.dumps(tree(files, folder=f"{name}/" if name else "", deep="recursive=true" in query.lower())).encode(),
        {},
    )


def tree(files: Files, *, folder: str, deep: bool) -> list[dict[str, Any]]:
    """List a folder."""
    below = [name.removeprefix(folder) for name in files if name.startswith(folder)]
    paths = sorted({folder + (name if deep else name.partition("/")[0]) for name in below})
    return [
        {"type": "file", "path": path, "oid": path, "size": len(files[path])}
        if path in files
        else {"type": "directory", "path": path, "oid": path}
        for path in paths
    ]
