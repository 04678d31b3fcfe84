"""What is built on a base model, and what an adapter's folder carries."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import DECODERS, ENCODERS, save_model
from toy_learner import COMPUTE, HALF, LORA, TEXTS, descend, gradients, make, specification

from stages.lib import adapter as built
from stages.lib.adapter import load_learner, save_adapter
from stages.lib.lora import LoraParams
from stages.lib.model import start
from stages.lib.stage import StageError

METHODS = {"lora": LORA, "full": None}
FILES = {
    ("lora", "classify"): ["adapter_config.json", "adapter_model.safetensors", "head.safetensors"],
    ("lora", "generate"): ["adapter_config.json", "adapter_model.safetensors", "chat_template.jinja"],
    ("full", "classify"): ["config.json", "head.safetensors", "model.safetensors"],
    ("full", "generate"): ["chat_template.jinja", "config.json", "generation_config.json", "model.safetensors"],
}


@pytest.mark.parametrize(("method", "objective"), FILES)
def test_an_adapter_is_safetensors_and_text_that_names_no_folder_of_the_machine(
    method: str, objective: str, tmp_path: Path
) -> None:
    from safetensors import safe_open

    base, adapter = save_model(tmp_path / "base", "llama", chat=True), tmp_path / "adapter"
    chosen = specification(objective)
    save_adapter(make(base, chosen, lora=METHODS[method]), chosen, adapter)
    assert sorted(path.name for path in adapter.rglob("*")) == sorted([*FILES[method, objective], "specification.json"])
    for path in adapter.iterdir():
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as tensors:
                assert list(tensors.keys())
        else:
            assert str(tmp_path) not in path.read_text()
            assert path.suffix == ".jinja" or json.loads(path.read_text())


@pytest.mark.parametrize(("method", "objective"), FILES)
def test_the_same_training_gives_the_same_bytes(method: str, objective: str, tmp_path: Path) -> None:
    base, chosen = save_model(tmp_path / "base", "llama", chat=True), specification(objective)
    for name in ("one", "two"):
        learner = make(base, chosen, lora=METHODS[method], compute=HALF)
        descend(learner)
        save_adapter(learner, chosen, tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("origin", "name"), [({"hub": "Qwen/Qwen3-0.6B"}, "Qwen/Qwen3-0.6B"), ({}, "base")])
def test_the_configuration_of_an_adapter_names_the_base_model_as_it_is_pinned(
    origin: dict[str, str], name: str, tmp_path: Path
) -> None:
    base, adapter = save_model(tmp_path / "base", "llama"), tmp_path / "adapter"
    (base / "origin.json").write_text(json.dumps(origin))
    save_adapter(make(base, specification("classify")), specification("classify"), adapter)
    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == name


@pytest.mark.parametrize("objective", ["classify", "generate"])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_unpickled_and_nothing_pickled(
    method: str, objective: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a pickle")

    base, adapter, chosen = save_model(tmp_path / "base", "llama"), tmp_path / "adapter", specification(objective)
    for module, name in [(torch, "load"), (torch, "save"), (pickle, "load"), (pickle, "loads"), (pickle, "dump")]:
        monkeypatch.setattr(module, name, refused)
    monkeypatch.setattr(pickle, "Unpickler", refused)
    learner = make(base, chosen, lora=METHODS[method])
    descend(learner, steps=1)
    save_adapter(learner, chosen, adapter)
    load_learner(base, adapter, compute=COMPUTE, device=start(COMPUTE))


def test_a_base_model_of_pickles_is_not_read(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    base = save_model(tmp_path, "llama")
    torch.save(load_file(base / "model.safetensors"), base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        make(base, specification("classify"))


@pytest.mark.parametrize("objective", ["classify", "generate"])
def test_all_weights_of_the_layers_that_are_kept_train_and_are_saved_without_the_base(
    objective: str, tmp_path: Path
) -> None:
    base, adapter, chosen = save_model(tmp_path / "base", "llama"), tmp_path / "adapter", specification(objective)
    learner = make(base, chosen, lora=None)
    before = [weight.detach().clone() for weight in learner.network.parameters()]
    descend(learner)
    assert [name for (name, weight), old in zip(learner.network.named_parameters(), before, strict=True)
            if bool((weight == old).all())] == []  # fmt: skip
    trained = learner.scores(learner.encode(TEXTS))
    save_adapter(learner, chosen, adapter)
    (base / "model.safetensors").unlink()
    loaded, _ = load_learner(base, adapter, compute=COMPUTE, device=start(COMPUTE))
    np.testing.assert_allclose(loaded.scores(loaded.encode(TEXTS)), trained, atol=1e-5)
    if objective == "generate":
        assert loaded.network.lm_head.weight is loaded.network.model.embed_tokens.weight


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("family", "objective"), [
    *((family, "classify") for family in [*ENCODERS, *DECODERS]),
    *((family, "generate") for family in DECODERS),
])  # fmt: skip
def test_gradient_checkpoints_change_neither_loss_nor_gradients(
    family: str, objective: str, method: str, tmp_path: Path
) -> None:
    import torch

    base, found = save_model(tmp_path, family, attention_dropout=0.1), {}
    for checkpoints in (False, True):
        learner = make(base, specification(objective), lora=METHODS[method], gradient_checkpointing=checkpoints)
        torch.manual_seed(2)
        losses = descend(learner, steps=2)
        found[checkpoints] = [torch.tensor(losses), *gradients(learner)]
    assert learner.network.is_gradient_checkpointing
    assert len(found[True]) == len(found[False]) > 1
    for with_checkpoints, without in zip(found[True], found[False], strict=True):
        torch.testing.assert_close(with_checkpoints, without, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("lora", [LORA, None])
@pytest.mark.parametrize("objective", ["classify", "generate"])
def test_frozen_weights_cast_once_give_the_numbers_of_autocast(
    objective: str, lora: LoraParams | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    base, chosen = save_model(tmp_path, "llama"), specification(objective)
    once = make(base, chosen, lora=lora, compute=HALF)
    monkeypatch.setattr(built, "cast", lambda network, _: network)
    each_time = make(base, chosen, lora=lora, compute=HALF)
    kinds = [{weight.dtype for weight in learner.network.parameters()} for learner in (once, each_time)]
    assert kinds == [{torch.float32, torch.bfloat16} if lora else {torch.float32}, {torch.float32}]
    assert descend(once) == descend(each_time)
    for one, other in zip(gradients(once), gradients(each_time), strict=True):
        assert torch.equal(one, other)


def test_an_adapter_asks_by_the_chat_template_that_it_was_trained_with(tmp_path: Path) -> None:
    base, adapter, chosen = (
        save_model(tmp_path / "base", "llama", chat=True),
        tmp_path / "adapter",
        specification("generate"),
    )
    learner = make(base, chosen)
    prompts = learner.encode(TEXTS)
    save_adapter(learner, chosen, adapter)
    (base / "chat_template.jinja").write_text("{{ messages[0].content }}")
    loaded, _ = load_learner(base, adapter, compute=COMPUTE, device=start(COMPUTE))
    assert loaded.encode(TEXTS) == prompts


def test_quantised_weights_cannot_train(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"params.yaml: train.lora: null: quantised weights cannot train"):
        make(tmp_path, specification("classify", quantisation=4), lora=None)
