"""Augment: the training split in, the same records and copies of them in other words out; what is held out stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.augmentation import AugmentParams, copies, read_language
from stages.lib.records import read_records, write_records
from stages.lib.stage import In, Out, Strict, log, progress, run

if TYPE_CHECKING:
    import pandas as pd


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of what copies change."""
    augment: AugmentParams
    """The copies."""


def augment(params: Params, train: In, ontology: In, augmented: Out) -> None:
    """Write the training records and their copies; without copies, the same bytes."""
    if params.augment.copies:
        records = with_copies(read_records(train), ontology, params.augment, seed=params.seed)
        write_records(records, augmented)
    else:
        shutil.copyfile(train, augmented)


def with_copies(records: pd.DataFrame, ontology: Path, params: AugmentParams, *, seed: int) -> pd.DataFrame:
    """Return the records, then their copies, under the ids of their records and a number."""
    import pandas as pd

    language = read_language(ontology, records)
    rows = (dict(zip(records.columns, row, strict=True)) for row in records.itertuples(index=False))
    told = progress(rows, description="augment", total=len(records))
    made = [copy for row in told for copy in copies(row, language, params, seed=seed)]
    log.info("%s copies of %s records", f"{len(made):,}", f"{len(records):,}")
    return pd.concat([records, pd.DataFrame(made, columns=records.columns)])


if __name__ == "__main__":
    run(augment)
