"""The Hugging Face hub: a pin in, a model's files or a data set's table in a cache out."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.cache import kept
from stages.lib.pins import HubPin, TablePin
from stages.lib.stage import StageError, log, progress

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

# Not taken from the hub: pickles run code when they are read, a wheel repeats the files beside it, and a repository
# of GGUF files holds one model many times.
UNWANTED = [
    *("*.pkl", "*.pickle", "*.pt", "*.pth", "pytorch_model*.bin", "training_args.bin", "*.whl", "*.gguf"),
    *("*.h5", "*.msgpack", "*.onnx", "*.ot", "openvino/*"),
]
TABLES = ["arrow", "csv", "json", "parquet"]
ROWS = 10_000  # of a row group: 50 MB at 5,000 characters each


def snapshot(pin: HubPin, *, key: str, files: Sequence[str]) -> Path:
    """Return the folder of a model's files that match, downloaded unless the hub's cache holds them.

    Raises StageError where they cannot be had.
    """
    from huggingface_hub import errors, get_cached_repo_tree, snapshot_download

    with _explained(pin, key):
        _require_commit(pin, key=key, kind="model")
        download = partial(
            snapshot_download, pin.hub, revision=pin.revision, allow_patterns=list(files), ignore_patterns=UNWANTED
        )
        try:
            get_cached_repo_tree(pin.hub, revision=pin.revision)  # or a part of the snapshot would pass for the whole
            folder = Path(download(local_files_only=True))
            log.info("%s (%s): cached", pin.hub, pin.licence)
            return folder
        except (errors.CachedRepoTreeNotFoundError, errors.LocalEntryNotFoundError):
            log.info("%s (%s): downloading revision %s from the hub", pin.hub, pin.licence, pin.revision)
        return Path(download())


def table(pin: TablePin, *, key: str) -> Path:
    """Return a Parquet file of a split, made once; classes are given by name, an unlabelled row's is null.

    Raises StageError where the split cannot be had or is no table.
    """
    with _explained(pin, key):
        _require_commit(pin, key=key, kind="dataset")
        name = hashlib.sha256(pin.model_dump_json(exclude={"licence"}).encode()).hexdigest()
        return kept("tables", name, make=lambda folder: _write_table(pin, folder, key=key)) / "table.parquet"


def _write_table(pin: TablePin, folder: Path, *, key: str) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    log.info("%s (%s): downloading revision %s from the hub", pin.hub, pin.licence, pin.revision)
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    folder.mkdir()
    scratch = folder / "scratch"  # the library's own cache would answer with another revision where the hub is away
    try:
        builder = _builder(pin, scratch, key=key)
        builder.download_and_prepare()
    except (datasets.exceptions.DatasetsError, pa.ArrowException, ValueError) as error:
        reason = type(error.__cause__ or error).__name__  # its message may quote a row
        raise StageError(
            f"{key}.hub: {pin.hub} cannot be read as tables ({reason}); see its page on the hub"
        ) from error
    if not builder.info.splits[pin.split].num_examples:
        raise StageError(f"{key}.split: '{pin.split}' of {pin.hub} has no rows; choose another")
    rows = builder.as_dataset(split=pin.split)
    arrow = rows.with_format("arrow")
    with pq.ParquetWriter(folder / "table.parquet", _plain(arrow[:0], rows.features).schema) as file:
        batches = arrow.iter(batch_size=ROWS)
        for batch in progress(batches, description=f"writing {pin.hub}", total=-(-len(rows) // ROWS)):
            file.write_table(_plain(batch, rows.features))
    shutil.rmtree(scratch)
    log.info("%s: %s rows in %s", pin.hub, f"{len(rows):,}", pin.split)


def _builder(pin: TablePin, scratch: Path, *, key: str) -> datasets.DatasetBuilder:
    """Return what reads the pinned configuration; refuse what isn't there, is no table or lies elsewhere."""
    import datasets
    from huggingface_hub import errors, hf_hub_download

    with contextlib.suppress(errors.RemoteEntryNotFoundError):  # what datasets asks for first, with errors of its own
        hf_hub_download(pin.hub, "README.md", repo_type="dataset", revision=pin.revision)
    try:
        configs = datasets.get_dataset_config_names(pin.hub, revision=pin.revision)
    except RuntimeError as error:
        raise StageError(
            f"{key}.hub: {pin.hub} needs a script of its own, which is not run; pin a commit of its branch "
            "refs/convert/parquet"
        ) from error
    if pin.config not in configs:
        raise StageError(f"{key}.config: {pin.hub} has no '{pin.config}'; choose from {', '.join(configs)}")
    builder = datasets.load_dataset_builder(pin.hub, pin.config, revision=pin.revision, cache_dir=str(scratch))
    files: dict[str, list[str]] = builder.config.data_files
    if (kind := type(builder).__module__.rpartition(".")[2]) not in TABLES:
        raise StageError(f"{key}.hub: {pin.hub} holds {kind}; only tables ({', '.join(TABLES)}) are read")
    if pin.split not in files:
        raise StageError(f"{key}.split: {pin.hub} has no '{pin.split}'; choose from {', '.join(map(str, files))}")
    pinned = f"hf://datasets/{pin.hub}@{pin.revision}/"  # the library itself refuses other repositories and this disk
    if other := [file for some in files.values() for file in some if not file.startswith(pinned)]:
        raise StageError(f"{key}.hub: {pin.hub} takes files from another commit: {other[0]}; pin that commit")
    return builder


def _plain(batch: pa.Table, features: datasets.Features) -> pa.Table:
    """Put names in the place of classes; drop what the library notes about the columns."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from datasets import ClassLabel

    for position, (column, feature) in enumerate(features.items()):
        if isinstance(feature, ClassLabel):
            numbers = batch[column]
            known = pc.if_else(pc.greater_equal(numbers, 0), numbers, None)
            batch = batch.set_column(position, column, pa.array(feature.names, pa.string()).take(known))
    return batch.combine_chunks().replace_schema_metadata(None)


def _require_commit(pin: HubPin, *, key: str, kind: str) -> None:
    from huggingface_hub import HfApi

    if not re.fullmatch("[0-9a-f]{40}", pin.revision):
        commit = HfApi().repo_info(pin.hub, revision=pin.revision, repo_type=kind).sha
        raise StageError(
            f"{key}.revision: '{pin.revision}' of {pin.hub} is a branch, a tag or short, and may move; pin the commit "
            f"that it is now: {commit}"
        )


@contextlib.contextmanager
def _explained(pin: HubPin, key: str) -> Iterator[None]:
    """Turn what the hub and its libraries raise into one line."""
    import httpx2  # what huggingface_hub raises
    from huggingface_hub import errors

    try:
        yield
        return
    except errors.GatedRepoError:
        reason = "is gated: accept its terms on the hub, then set HF_TOKEN"
    except errors.RevisionNotFoundError:
        reason = f"has no commit {pin.revision}; copy one from the list of commits on its page"
    except errors.RepositoryNotFoundError:
        reason = "is not on the hub, or is private: check the name, or set HF_TOKEN"
    except (OSError, httpx2.HTTPError, errors.XetDownloadError) as error:
        reason = f"cannot be downloaded: {' '.join(str(error).split()):.300}; check the network, or pin another source"
    raise StageError(f"{key}.hub: {pin.hub} {reason}")
