"""A file from an address: a pin in, the verified file in the user's cache out."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.cache import alone
from stages.lib.pins import ADDRESS, UrlPin
from stages.lib.stage import StageError, cache_folder, log
from stages.lib.tree import require_sha256, tree_sha256

if TYPE_CHECKING:
    import httpx2

ATTEMPTS = 10


def download(pin: UrlPin, *, key: str, timeout: float = 30.0) -> Path:
    """Return the file that `pin` names, downloaded unless the cache holds it.

    What a cut connection has brought is kept and continued, now or by the next run, where the server says that the
    file is still the same (RFC 9110, sections 13.1.5 and 14). `timeout` is in seconds without a byte. Raises
    StageError where the file can't be had or differs from the pin.
    """
    path = cache_folder("downloads") / pin.sha256
    partial = path.with_name(f".partial-{pin.sha256}.download")
    with alone(path):
        if path.is_file() and tree_sha256(path) == pin.sha256:
            log.info("%s (%s): cached", pin.url, pin.licence)
            return path
        log.info("%s (%s): downloading", pin.url, pin.licence)
        _complete(pin.url, partial, key=key, timeout=timeout)
        _validator(partial).unlink(missing_ok=True)
        try:
            require_sha256(tree_sha256(partial), pin.sha256, key=key, name=pin.url)
            log.info("%s: downloaded %.1f MB", pin.url, partial.stat().st_size / 1e6)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def _complete(url: str, partial: Path, *, key: str, timeout: float) -> None:
    """Connect again, a few times, for as long as each connection brings something."""
    import httpx2

    def refuse_plain(request: httpx2.Request) -> None:
        if not re.fullmatch(ADDRESS, str(request.url)):
            there = f"{request.url.scheme}://{request.url.host}"
            raise StageError(f"{key}.url: {url} redirects to {there}, which is not https; give another address")

    hooks = {"request": [refuse_plain]}
    before, attempt, done = _size(partial), 0, False
    try:
        with httpx2.Client(follow_redirects=True, timeout=timeout, event_hooks=hooks) as client:
            while not done:
                attempt += 1
                try:
                    done = _continue(client, url, partial, key=key)
                except httpx2.TransportError as error:
                    if attempt == ATTEMPTS or (size := _size(partial)) <= before:
                        raise
                    log.info("%s: cut after %.1f MB (%s); going on", url, size / 1e6, type(error).__name__)
                    before = size
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        kept = f"; the {_size(partial) / 1e6:.1f} MB that came are kept, run again to go on" if _size(partial) else ""
        raise StageError(f"{key}.url: {url} cannot be downloaded: {reason:.300}; check the network{kept}") from error


def _continue(client: httpx2.Client, url: str, partial: Path, *, key: str) -> bool:
    """Bring what is missing of the file, or all of it where the server can't tell that it is the same file.

    Returns False where it has to be asked again from the start.
    """
    from tqdm import tqdm

    validator = _validator(partial)
    known = validator.read_text() if validator.exists() else ""
    headers = {"Accept-Encoding": "identity"}
    if known and _size(partial):
        headers |= {"Range": f"bytes={_size(partial)}-", "If-Range": known}
    with client.stream("GET", url, headers=headers) as response:
        ranged, status = "Range" in headers, response.status_code
        start = _size(partial) if ranged and status == 206 else 0
        same = response.headers.get("Content-Range", "").startswith(f"bytes {start}-") and _identity(response) == known
        if (ranged and status == 416) or (start and not same):
            validator.unlink()
            return False
        if status != (206 if start else 200):
            reason = f"{status} {response.reason_phrase}".strip()
            raise StageError(f"{key}.url: {url} answers {reason}; check the address")
        length = int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        _require_space(length or 0, partial.parent, key=key, url=url)
        with partial.open("ab" if start else "wb") as file:
            validator.write_text(_identity(response))
            total = None if length is None else start + length
            style: dict[str, Any] = {"unit": "B", "unit_scale": True, "delay": 5, "disable": None, "leave": False}
            with tqdm(desc=url.rpartition("/")[2], total=total, initial=start, **style) as bar:
                for chunk in response.iter_raw():
                    file.write(chunk)
                    bar.update(len(chunk))
    return True


def _require_space(length: int, folder: Path, *, key: str, url: str) -> None:
    if length > (free := shutil.disk_usage(folder).free):
        raise StageError(
            f"{key}.url: {url} brings {length / 1e6:,.1f} MB and {free / 1e6:,.1f} MB are free in {folder}; "
            "free some or set XDG_CACHE_HOME"
        )


def _identity(response: httpx2.Response) -> str:
    """Return what tells this content from another at the same address: a strong ETag, or when it was changed last."""
    etag: str = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


def _validator(partial: Path) -> Path:
    return partial.with_suffix(".validator")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
