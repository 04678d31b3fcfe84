"""Summarise the doubles: a table in, a folder of two files out."""

from __future__ import annotations

import time

from pydantic import Field

from stages.lib.stage import In, Out, Strict, run


class SecondParams(Strict):
    """What `second` does."""

    pause: float = Field(ge=0, le=60)
    """Seconds to rest in the middle of the output, for tests that interrupt it."""


class Params(Strict):
    """Parameters of the stage."""

    second: SecondParams
    """See there."""


def second(params: Params, doubled: In, summary: Out) -> None:
    """Write a folder."""
    summary.mkdir()
    (summary / "head.txt").write_text(doubled.read_text()[:8])
    time.sleep(params.second.pause)
    (summary / "size.txt").write_text(str(doubled.stat().st_size))


if __name__ == "__main__":
    run(second)
