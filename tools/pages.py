"""Keep the generated parts of a page up to date: what stands between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def bring_up_to_date(path: Path, parts: Mapping[str, str], *, tool: str) -> None:
    """Replace every part, by name, or with `--check` on the command line exit with an error where one is behind."""
    before = path.read_text(encoding="utf-8")
    after = updated(before, parts, path=path)
    if "--check" in sys.argv and before != after:
        sys.exit(f"error: {path}: generated parts are behind; run `python -m {tool}`")
    path.write_text(after, encoding="utf-8")


def updated(page: str, parts: Mapping[str, str], *, path: Path) -> str:
    """Return the page with every marked part replaced; each must be there once."""
    for name, text in parts.items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            sys.exit(f"error: {path}: the markers of '{name}' must be there once")
        before, _, rest = page.partition(begin)
        page = before + begin + text + end + rest.partition(end)[2]
    return page
