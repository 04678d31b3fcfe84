"""Parameters are exactly the declared keys, typed, and all that is wrong with them is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from toy_params import KEYS, Params, good

from stages.lib.isolation import StageError
from stages.lib.params import Strict, read_document, read_params, undeclared


def read(tmp_path: Path, document: Any, keys: list[str] = KEYS, model: type[Strict] = Params) -> Any:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return read_params(model, keys, str(path))


def lines(tmp_path: Path, document: Any, keys: list[str] = KEYS, model: type[Strict] = Params) -> list[str]:
    """Return the errors, without the file that each begins with."""
    with pytest.raises(StageError) as raised:
        read(tmp_path, document, keys, model)
    start = f"{tmp_path}/params.yaml: "
    assert all(line.startswith(start) for line in str(raised.value).splitlines())
    return [line.removeprefix(start) for line in str(raised.value).splitlines()]


def changed(key: str, value: Any) -> dict[str, Any]:
    """Return the good document with `value` at a dotted key; a number is a position of a list."""
    document = good()
    *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    target: Any = document
    for parent in parents:
        target = target[parent]
    target[last] = value
    return document


TRAIN = "rate, epochs, fractions, sources, files, precision, limit"
BAD = [
    # (where, what, the one line that says so)
    ("train.rate", 7, "train.rate: 7: should be less than 1"),
    ("train.rate", "0", "train.rate: '0': should be greater than 0"),
    ("train.rate", "fast", "train.rate: 'fast': should be a valid number, unable to parse string as a number"),
    ("train.rate", float("nan"), "train.rate: nan: should be a finite number"),
    ("train.rate", None, "train.rate: None: should be a valid number"),
    ("train.epochs", 2.5, "train.epochs: 2.5: should be a valid integer, got a number with a fractional part"),
    ("train.epochs", [3], "train.epochs: [3]: should be a valid integer"),
    ("train.epochz", 3, f"train.epochz: unknown parameter; choose from {TRAIN}"),
    ("train.fractions", {"train": 0.7}, "train.fractions: {'train': 0.7}: must sum to 1"),
    ("train.fractions.test", "half", "train.fractions.test: 'half': should be a valid number, unable to parse "),
    ("train.sources", ["hpo", "medqa2"], "train.sources[1]: 'medqa2': should be 'hpo', 'phenopackets' or 'files'"),
    ("train.sources", "hpo", "train.sources: 'hpo': should be a valid list"),
    ("train.files.0.kind", "xls", "train.files[0].kind: 'xls': should be 'csv' or 'tsv'"),
    ("train.files.0.limit", 0, "train.files[0].limit: 0: should be greater than or equal to 1"),
    ("train.files.0.size", 1, "train.files[0].size: unknown parameter; choose from file, kind, limit"),
    ("train.files", ["a.csv"], "train.files[0]: 'a.csv': must be a mapping of file, kind, limit"),
    ("train.precision", 65, "train.precision: 65: should be 'bfloat16' or 'float32' or should be less than or "),
    ("train.limit", "all", "train.limit: 'all': should be a valid integer"),
    ("pins.small.sha256", "f00", "pins.small.sha256: 'f00': String should match pattern '^[0-9a-f]{64}$'"),
    ("pins.small.wheel", "a", r"pins.small.wheel: 'a': String should match pattern '^\S+==\S+$'"),
    ("pins.small.member", "x", "pins.small.member: unknown parameter; choose from wheel, sha256"),
    ("pins.large.revision", "main", "pins.large.revision: 'main': String should match pattern '^[0-9a-f]{40}$'"),
    ("pins.large", {"hub": "b"}, "pins.large.revision: missing"),
    ("pins", ["a"], "pins: ['a']: must be a mapping"),
    ("train", None, f"train: None: must be a mapping of {TRAIN}"),
    ("seed", -1, "seed: -1: should be greater than or equal to 0"),
]


@pytest.mark.parametrize(("key", "value", "expected"), BAD)
def test_an_error_names_key_value_and_what_is_allowed(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    found = lines(tmp_path, changed(key, value))
    assert len(found) == 1, found
    assert found[0].startswith(expected), found[0]


def test_a_misspelt_key_is_both_unknown_and_missing(tmp_path: Path) -> None:
    document = good()
    document["train"]["learning"] = document["train"].pop("rate")
    assert lines(tmp_path, document) == [
        "train.rate: missing",
        f"train.learning: unknown parameter; choose from {TRAIN}",
    ]


def test_every_error_is_reported_at_once(tmp_path: Path) -> None:
    document = changed("train.files.0.kind", "xls")
    document["train"] |= {"rate": 2, "sources": ["a", "hpo", "b"]}
    document["pins"]["small"]["sha256"] = "1"
    del document["seed"]
    assert [line.split(":")[0] for line in lines(tmp_path, document)] == [
        "seed",
        "train.rate",
        "train.sources[0]",
        "train.sources[2]",
        "train.files[0].kind",
        "pins.small.sha256",
    ]


def test_errors_between_fields_name_their_mapping(tmp_path: Path) -> None:
    document = good()
    document["train"] |= {"rate": 0.9, "epochs": 60}
    (line,) = lines(tmp_path, document)
    assert line.startswith("train: {'epochs': 60")
    assert line.endswith("a rate above 0.5 allows at most 50 epochs")
    assert len(line) < 160


@pytest.mark.parametrize(("given", "value"), [("1e-05", 1e-5), ("1e-5", 1e-5), ("0.25", 0.25), (0.5, 0.5)])
def test_a_number_may_come_as_the_string_that_dvc_writes(tmp_path: Path, given: Any, value: float) -> None:
    assert read(tmp_path, changed("train.rate", given)).train.rate == value


def test_yaml_reads_an_exponent_without_a_point_as_a_string(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("rate: 1e-05\n")
    assert read_document(str(path)) == {"rate": "1e-05"}


class Picked(Strict):
    """Some keys of a section."""

    rate: float
    """One."""


class Outer(Strict):
    """A section of which a stage declares one key."""

    train: Picked
    """See there."""


def test_a_stage_sees_only_the_keys_it_declares(tmp_path: Path) -> None:
    params = read(tmp_path, good(), ["train.rate"], Outer)
    assert params.model_dump() == {"train": {"rate": 0.1}}


def test_a_key_that_is_not_declared_is_missing_though_the_file_has_it(tmp_path: Path) -> None:
    assert lines(tmp_path, good(), ["seed"], Outer)[0] == "train: missing"


@pytest.mark.parametrize("value", [5, "x", ["rate"], None])
def test_a_section_that_is_no_mapping_is_an_error(tmp_path: Path, value: Any) -> None:
    assert lines(tmp_path, {"train": value}, ["train.rate"], Outer) == [f"train: {value!r}: must be a mapping of keys"]


def test_a_missing_section_is_a_missing_key(tmp_path: Path) -> None:
    assert lines(tmp_path, {"seed": 1}, ["train.rate"], Outer) == ["train.rate: missing"]


def test_parameters_are_frozen(tmp_path: Path) -> None:
    params = read(tmp_path, good())
    with pytest.raises(ValidationError, match="frozen"):
        params.seed = 2


DOCUMENTS = [
    (b"a: [", "is not valid YAML: while parsing"),
    (b"\xff\xfe\x00", "is not valid YAML: "),
    (b"a: \xe9", "is not valid YAML: "),
    (b"", "must be a mapping of keys"),
    (b"- a", "must be a mapping of keys"),
    (b"a: 1\n\tb: 2", "is not valid YAML: "),
]


@pytest.mark.parametrize(("content", "expected"), DOCUMENTS)
def test_a_broken_file_is_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(StageError) as raised:
        read_document(str(path))
    assert str(raised.value).startswith(f"{path}: {expected}")
    assert len(str(raised.value).splitlines()) == 1


def test_keys_that_no_stage_declares_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"seed": 1, "sede": 2, "train": {"rate": 1, "rats": {"a": 2}}, "pins": {"any": 3}}))
    found = undeclared(["seed", "train.rate", "pins"], str(path))
    assert found == [
        f"{path}: sede: no stage declares it; choose from pins, seed, train.rate",
        f"{path}: train.rats: no stage declares it; choose from pins, seed, train.rate",
    ]
    assert undeclared(["seed", "sede", "train", "train.rate", "pins"], str(path)) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["wheel", "hub", "a"]), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the one folder of all examples, each of which writes its file anew."""
    return tmp_path_factory.mktemp("any")


@given(
    key=st.sampled_from(["train", "pins", "pins.small", "train.files", "train.files.0", "train.precision", "seed"]),
    value=ANYTHING,
)
def test_any_value_is_either_accepted_or_explained(place: Path, key: str, value: Any) -> None:
    explained = []
    try:
        read(place, changed(key, value))
    except StageError as error:
        explained = str(error).splitlines()
    assert all(line.startswith(f"{place}/params.yaml: {key.split('.')[0]}") for line in explained)
