"""Pins of the hub, against a server on this machine that answers as the hub does."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toy_hub import Files, serve_hub
from toy_wheels import REVISION

from stages.lib.content import bring, unpack
from stages.lib.pins import HubPin, TablePin
from stages.lib.stage import StageError
from stages.lib.tree import tree_sha256

MODEL = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickle"}
WANTED = ["*.json", "model*.safetensors"]
CARD = b"""---
configs:
- config_name: default
  data_files:
  - {split: train, path: data/train-*}
  - {split: test, path: data/test-*}
- config_name: extra
  data_files: [{split: test, path: extra.parquet}]
---
"""


def labelled(labels: list[int]) -> bytes:
    """Return a Parquet file whose diagnoses are classes, as `datasets` uploads them."""
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"note": Value("string"), "dx": ClassLabel(names=["Flu", "Measles"])})
    notes = [f"note {number}" for number in range(len(labels))]
    content = io.BytesIO()
    Dataset.from_dict({"note": notes, "dx": labels}, features=features).to_parquet(content)
    return content.getvalue()


@pytest.fixture(scope="module")
def repositories() -> dict[str, Files]:
    table = {"data/train-0.parquet": labelled([1, 0, -1]), "data/train-1.parquet": labelled([0])}
    return {
        "models/org/name": MODEL,
        "datasets/org/cases": {
            "README.md": CARD,
            **table,
            "data/test-0.parquet": labelled([1]),
            "extra.parquet": labelled([0]),
        },
        "datasets/org/csv": {"train.csv": b"note,dx\nfever,Flu\n", "test.csv": b"note,dx\nrash,Measles\n"},
        "datasets/org/empty": {"train.parquet": labelled([])},
        "datasets/org/broken": {"train.csv": b'note,dx\n"SECRET\n'},
        "datasets/org/script": {"script.py": b"print('run')"},
        "datasets/org/pictures": {"train/a.png": b"", "train/b.png": b""},
        "datasets/org/pickles": {"train.pkl": b""},
    }


@pytest.fixture
def hub(repositories: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve the repositories; yield the requests, as they come."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with serve_hub(repositories, tmp_path / "hub", monkeypatch) as requests:
        yield requests


def model_pin(**changes: str) -> HubPin:
    return HubPin.model_validate({"hub": "org/name", "revision": REVISION, "licence": "MIT"} | changes)


def table_pin(**changes: str) -> TablePin:
    values = {"hub": "org/cases", "revision": REVISION, "config": "default", "split": "train", "licence": "MIT"}
    return TablePin.model_validate(values | changes)


def refusal(pin: Any) -> str:
    """Return the one line with which a pin is refused."""
    with pytest.raises(StageError) as error:
        bring(pin, key="fetch.it", files=WANTED)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_model_of_the_hub_comes_once_and_without_pickles(hub: list[str], tmp_path: Path) -> None:
    source = bring(model_pin(), key="fetch.model", files=WANTED)
    assert unpack(source, tmp_path / "out", files=["**"]) == ["config.json", "model.safetensors"]
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == b"weights"
    assert not any("pytorch_model" in request for request in hub)
    hub.clear()
    bring(model_pin(), key="fetch.model", files=WANTED)
    assert hub == []


def test_a_part_of_a_hub_model_in_the_cache_is_completed(hub: list[str], tmp_path: Path) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download("org/name", "config.json", revision=REVISION)
    source = bring(model_pin(), key="fetch.model", files=WANTED)
    assert unpack(source, tmp_path / "out", files=["**"]) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("pin", [model_pin(), table_pin()])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hub": "org/absent"}, "fetch.it.hub: org/absent is not on the hub, or is private"),
        ({"hub": "org/gated"}, "is gated: accept its terms on the hub, then set HF_TOKEN"),
        ({"revision": "f" * 40}, "has no commit ffff"),
        ({"revision": "main"}, f"fetch.it.revision: 'main' of org/.* pin the commit that it is now: {REVISION}"),
        ({"revision": "absent"}, "has no commit absent"),
    ],
)
def test_what_the_hub_refuses_is_one_line(hub: list[str], pin: HubPin, changes: dict[str, str], message: str) -> None:
    assert re.search(message, refusal(pin.model_copy(update=changes)))


@pytest.mark.parametrize("pin", [model_pin(), table_pin()])
def test_an_unreachable_hub_is_one_line(hub: list[str], pin: HubPin, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "cannot be downloaded: " in refusal(pin)
    assert "check the network" in refusal(pin)
    assert hub == []


def test_a_table_has_its_split_with_classes_by_name_and_comes_once(hub: list[str]) -> None:
    path = bring(table_pin(), key="fetch.data.cases").path
    table = pd.read_parquet(path)
    assert table["dx"].fillna("unlabelled").tolist() == ["Measles", "Flu", "unlabelled", "Flu"]
    assert table["note"].tolist() == ["note 0", "note 1", "note 2", "note 0"]
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]
    hub.clear()
    assert bring(table_pin(licence="other"), key="fetch.data.cases").path == path
    assert hub == []


def test_a_table_has_the_same_bytes_from_an_empty_cache(
    hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tree_sha256(bring(table_pin(), key="fetch.data.cases").path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert tree_sha256(bring(table_pin(), key="fetch.data.cases").path) == first


def test_other_splits_configurations_and_formats_are_read(hub: list[str]) -> None:
    pins = [table_pin(split="test"), table_pin(config="extra", split="test"), table_pin(hub="org/csv")]
    tables = [pd.read_parquet(bring(pin, key="fetch.data.cases").path) for pin in pins]
    assert [table["dx"].tolist() for table in tables] == [["Measles"], ["Flu"], ["Flu"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "absent"}, "fetch.it.config: org/cases has no 'absent'; choose from default, extra"),
        ({"split": "dev"}, "fetch.it.split: org/cases has no 'dev'; choose from train, test"),
        ({"config": "extra"}, "fetch.it.split: org/cases has no 'train'; choose from test"),
        ({"hub": "org/empty"}, "fetch.it.split: 'train' of org/empty has no rows; choose another"),
        ({"hub": "org/broken"}, "fetch.it.hub: org/broken cannot be read as tables ("),
        ({"hub": "org/script"}, "needs a script of its own, which is not run"),
        ({"hub": "org/pictures"}, "holds imagefolder; only tables (arrow, csv, json, parquet) are read"),
        ({"hub": "org/pickles"}, "org/pickles cannot be "),
    ],
)
def test_what_is_no_table_of_the_repository_is_refused(hub: list[str], changes: dict[str, str], message: str) -> None:
    said = refusal(table_pin(**changes))
    assert message in said
    assert "SECRET" not in said


@pytest.mark.parametrize(
    ("outside", "message"),
    [
        ("hf://datasets/org/csv@main/train.csv", "cannot be read as tables"),
        ("{tmp_path}/incoming.csv", "cannot be read as tables"),
        ("hf://datasets/org/cases@main/train.csv", "takes files from another commit: hf://datasets/org/cases@main"),
    ],
)
def test_what_lies_outside_the_pinned_commit_is_never_read(
    outside: str, message: str, repositories: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "incoming.csv").write_text("note,dx\nSECRET,Flu\n")
    card = f"---\nconfigs: [{{config_name: default, data_files: '{outside.format(tmp_path=tmp_path)}'}}]\n---\n"
    files = {"README.md": card.encode(), "train.csv": b"note,dx\nfever,Flu\n"}
    with serve_hub(repositories | {"datasets/org/cases": files}, tmp_path / "hub", monkeypatch):
        assert message in refusal(table_pin())
    assert not list((tmp_path / "cache").rglob("*.parquet"))
