"""Multiply the counts: cases in, their doubles and how many out."""

from __future__ import annotations

import json
import time

from pydantic import Field

from stages.lib.stage import In, Out, Strict, log, run


class FirstParams(Strict):
    """What `first` does to a count."""

    factor: float = Field(gt=0, le=10)
    """What a count is multiplied by."""
    pause: float = Field(ge=0, le=60)
    """Seconds to rest in the middle of the output, for tests that interrupt it."""


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Written into the metrics."""
    first: FirstParams
    """See there."""


def first(params: Params, cases: In, doubled: Out, counts: Out) -> None:
    """Double every count."""
    header, *rows = cases.read_text().splitlines()
    log.info("read %d rows", len(rows))
    with doubled.open("w") as file:
        file.write(header + "\n")
        file.flush()
        time.sleep(params.first.pause)
        for row in rows:
            name, count = row.split(",")
            file.write(f"{name},{float(count) * params.first.factor}\n")
    counts.write_text(json.dumps({"rows": len(rows), "seed": params.seed}))


if __name__ == "__main__":
    run(first)
