"""A server on this machine with one file, and the bad manners of real ones."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

from stages.lib.pins import UrlPin

CONTENT = Random(0).randbytes(300_000)
SHA256 = sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What a server on this machine answers with, and what it was asked for."""

    content: bytes = CONTENT
    etag: str = '"one"'
    ranges: bool = True
    careless: bool = False
    """Goes on, or says that there is no more, although the file is another one."""
    cuts: int = 0
    """Answers that end after a third of what they promise."""
    pause: float = 0
    """Seconds of silence in the middle."""
    status: int = 200
    location: str = ""
    claimed: int = 0
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def pin(self, digest: str = SHA256, name: str = "all.zip") -> UrlPin:
        return UrlPin(url=f"{self.url}/{name}", sha256=digest, licence="CC0-1.0")


@contextlib.contextmanager
def serve_site() -> Iterator[Site]:
    """Serve one file at every address."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted, condition = self.headers.get("Range", ""), self.headers.get("If-Range")
            site.asked.append(wanted)
            heard = wanted and site.ranges and (site.careless or condition == site.etag)
            start = int(wanted[6:-1]) if heard else 0
            part = site.content[start:]
            self.send_response(302 if site.location else site.status if not start else 206 if part else 416)
            self.send_header("Content-Length", str(site.claimed or len(part)))
            for name, value in {"ETag": site.etag, "Location": site.location}.items():
                if value:
                    self.send_header(name, value)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
            self.end_headers()
            if site.cuts:
                site.cuts -= 1
                part = part[: len(part) // 3]
            with contextlib.suppress(ConnectionError):  # the client has left
                self.wfile.write(part[:1000])
                time.sleep(site.pause)
                self.wfile.write(part[1000:])

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
