"""Describe the data set: splits, metrics and pins in; a datasheet and a Croissant description out, counts only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stages.acquire import AcquireParams
from stages.lib.croissant import croissant as croissant_of
from stages.lib.datasheet import datasheet as datasheet_of
from stages.lib.pins import DataPin, Pin
from stages.lib.provenance import Origin, Provenance, Source, Split, ontology_release
from stages.lib.stage import In, Out, Strict, run
from stages.lib.tree import tree_sha256
from stages.sources.incoming import find

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "calibration", "test")


class FetchedParams(Strict):
    """The pins of what the data came from, as `fetch` reads them."""

    data: dict[str, DataPin]
    """Data sets and archives, by name."""
    ner: dict[str, Pin]
    """NER models that found names, by name."""
    ontology: dict[str, Any]
    """Human Phenotype Ontology: a pin and the names of its files."""


class Params(Strict):
    """What was fetched and acquired."""

    acquire: AcquireParams
    """Sources, with the files that they read and their licences."""
    fetch: FetchedParams
    """Pins, with their versions, hashes and licences."""


def describe(
    params: Params,
    incoming: In,
    ontology: In,
    rejected: In,
    acquisition: In,
    scrubbing: In,
    splits: In,
    train: In,
    validation: In,
    calibration: In,
    test: In,
    datasheet: Out,
    croissant: Out,
) -> None:
    """Write who made the data of what, how much of it there is, and under which licences; no value of a record."""
    import pandas as pd
    from pyarrow.parquet import read_schema

    files = dict(zip(SPLITS, (train, validation, calibration, test), strict=True))
    groups = json.loads(splits.read_text())["independent_groups"]
    columns = ["source", "patient_id", "diagnosis"]
    tables = {name: pd.read_parquet(path, columns=columns) for name, path in files.items()}
    records = pd.concat(tables, names=["split"]).reset_index("split")
    refused = pd.read_parquet(rejected, columns=["source"])["source"].value_counts()
    provenance = Provenance(
        sources=tuple(
            count(
                records, name, origins=tuple(origins(name, params, incoming, ontology)), rejected=refused.get(name, 0)
            )
            for name in params.acquire.sources
        ),
        splits=tuple(measure(name, path, independent_groups=groups[name]) for name, path in files.items()),
        columns=read_schema(train),
        filled=filled(files.values()),
        acquisition=json.loads(acquisition.read_text()),
        scrubbing=json.loads(scrubbing.read_text()),
        ner=tuple(_pinned(pin.model_dump()).name for pin in params.fetch.ner.values()),
    )
    datasheet.write_text(datasheet_of(provenance), encoding="utf-8")
    text = json.dumps(croissant_of(provenance), indent=2, ensure_ascii=False)
    croissant.write_text(f"{text}\n", encoding="utf-8")


def count(records: pd.DataFrame, name: str, *, origins: tuple[Origin, ...], rejected: int) -> Source:
    """Return what `records`, those of all splits with the split's name, hold of the source `name`."""
    own = records[records["source"] == name]
    return Source(
        name=name,
        origins=origins,
        records={str(split): int(size) for split, size in own["split"].value_counts().items()},
        patients=int(own["patient_id"].nunique()),
        diagnoses=int(own["diagnosis"].nunique()),
        rejected=int(rejected),
    )


def measure(name: str, path: Path, *, independent_groups: int) -> Split:
    """Return a split's file with its hash and sizes."""
    from pyarrow.parquet import read_metadata

    return Split(
        name=name,
        file=path.name,
        sha256=tree_sha256(path),
        bytes=path.stat().st_size,
        records=read_metadata(path).num_rows,
        independent_groups=independent_groups,
    )


def filled(paths: Iterable[Path]) -> Counter[str]:
    """Return how many records have each column: a value, or a list with something in it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow.parquet import ParquetFile

    counts = Counter[str]()
    for path in paths:
        for batch in ParquetFile(path).iter_batches():
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                lists = pa.types.is_list(column.type)
                there = pc.greater(pc.list_value_length(column), 0) if lists else column.is_valid()
                counts[name] += pc.sum(there).as_py() or 0
    return counts


def origins(name: str, params: Params, incoming: Path, ontology: Path) -> Iterator[Origin]:
    """Yield what the source `name` read: the ontology, a pinned data set, or files of the user's with their hash."""
    if name == "hpo":
        yield _pinned(params.fetch.ontology, version=ontology_release(ontology))
        return
    section = getattr(params.acquire, name)
    brought = {f"{key}{pin.suffix()}": pin for key, pin in params.fetch.data.items()}
    for item in section if isinstance(section, list) else [section]:
        told = item.model_dump()
        if "data" in told:
            yield _pinned(params.fetch.data[told["data"]].model_dump())
            continue
        file = told.get("file") or told["folder"]
        if file in brought and not (incoming / file).exists():
            yield _pinned(brought[file].model_dump())
        else:
            path = find(incoming, file, key=f"acquire.{name}")
            yield Origin(file, "unversioned", told.get("licence"), f"sha256 {tree_sha256(path, f'acquire.{name}')}")


def _pinned(pin: Mapping[str, Any], *, version: str = "as released") -> Origin:
    """Tell of a pin what is public: of an address not its query, which may hold a token, of a path not its folders."""
    name = pin.get("wheel") or pin.get("hub") or Path(pin.get("path", "")).name
    if "url" in pin:
        name = urlsplit(pin["url"])._replace(query="").geturl()
    if "config" in pin:
        version = f"config {pin['config']}, split {pin['split']}"
    checksum = f"commit {pin['revision']}" if "revision" in pin else f"sha256 {pin['sha256']}"
    return Origin(name, version, pin["licence"], checksum)


if __name__ == "__main__":
    run(describe)
