"""Frozen lower layers run once: training on their stored states is training on the notes, for every family."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT
from tiny_models import DECODERS, ENCODERS, save_model

from stages.lib import attention, trunk
from stages.lib.adapter import Learner, LoraParams, Specification, make_learner
from stages.lib.classifier import Classifier
from stages.lib.model import Compute, ModelParams, start
from stages.lib.notes import Notes

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
TEXTS = ["fever", "a longer note on joint pain and rash", "cough", "", "headache for three days", "ö ü 漢字"]
DIAGNOSES = ["Marfan syndrome", "Marfan", "Fabry disease", "Gaucher disease"]
TARGETS = [0, 1, 2, 3, 0, 1]
DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text())
MODEL = ModelParams.model_validate(DEFAULTS["model"] | {"layers": None, "max_length": 32})
LORA = LoraParams.model_validate(DEFAULTS["train"]["lora"] | {"rank": 2, "dropout": 0, "embeddings": False})
CASES = [*((family, "classify") for family in [*ENCODERS, *DECODERS]), *((family, "generate") for family in DECODERS)]
WITHOUT_DROPOUT: dict[str, dict[str, Any]] = {
    "bert": {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0},
    "gpt2": {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0},
}


def make(folder: Path, objective: str, *, frozen: int) -> tuple[Learner, Notes]:
    """Return a learner none of whose first layers are trained, and notes."""
    import torch

    torch.manual_seed(1)
    chosen = Specification(objective=objective, diagnoses=DIAGNOSES, model=MODEL)
    device = start(COMPUTE)
    learner = make_learner(chosen, folder, lora=LORA, compute=COMPUTE, device=device, gradient_checkpointing=False)
    for layer in trunk.layers_of(learner.network.get_base_model().base_model)[:frozen]:
        layer.requires_grad_(False)
    learner.network.eval()
    return learner, Notes(learner.encode(TEXTS), TARGETS)


def losses_and_gradients(learner: Learner, notes: Notes, *, steps: int = 3) -> tuple[list[float], list[np.ndarray]]:
    """Return the loss of each step, and the gradients of the last."""
    import torch

    weights = [weight for group in learner.weights() for weight in group]
    optimizer = torch.optim.AdamW(weights, lr=0.01)
    losses = []
    for first in range(steps):
        optimizer.zero_grad()
        loss, _, count = learner.loss(notes, [first, first + 2, first + 1], smoothing=0.05)
        (loss / count).backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [weight.grad.numpy() for weight in weights if weight.grad is not None]


@pytest.mark.parametrize(("family", "objective"), CASES)
@pytest.mark.parametrize("training", [False, True])
def test_losses_and_gradients_are_those_of_the_whole_model(
    family: str, objective: str, training: bool, tmp_path: Path
) -> None:
    base = save_model(tmp_path, family, **WITHOUT_DROPOUT.get(family, {}))
    found = []
    for prepare in (False, True):
        learner, notes = make(base, objective, frozen=3)
        if prepare:
            learner = learner.prepare(notes, notes)
            assert learner.trunk
            assert learner.trunk.depth == 3
            assert learner.trunk.states
        elif isinstance(learner, Classifier):
            learner.standardise(notes)
        learner.network.train(training)
        found.append((*losses_and_gradients(learner, notes), learner.scores(notes.tokens)))
    (losses, gradients, scores), (reused_losses, reused_gradients, reused_scores) = found
    np.testing.assert_allclose(reused_losses, losses, atol=1e-5)
    assert len(gradients) == len(reused_gradients) > 0
    for gradient, reused in zip(gradients, reused_gradients, strict=True):
        np.testing.assert_allclose(reused, gradient, atol=1e-5)
    np.testing.assert_allclose(reused_scores, scores, atol=1e-4)


@pytest.mark.parametrize(("family", "objective"), [("llama", "generate"), ("bert", "classify")])
def test_gradient_checkpointing_changes_nothing(family: str, objective: str, tmp_path: Path) -> None:
    base = save_model(tmp_path, family, **WITHOUT_DROPOUT.get(family, {}))
    found = []
    for checkpointing in (False, True):
        learner, notes = make(base, objective, frozen=2)
        learner = learner.prepare(notes, notes)
        learner.network.train()
        if checkpointing:
            learner.network.activation_checkpointing_enable()
            learner.network.enable_input_require_grads()
        found.append(losses_and_gradients(learner, notes))
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-5)
    for gradient, other in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(other, gradient, atol=1e-5)


def test_frozen_layers_run_no_more_once_their_states_are_known(tmp_path: Path) -> None:
    learner, notes = make(save_model(tmp_path, "llama"), "classify", frozen=2)
    calls: list[int] = []
    layers = trunk.layers_of(learner.network.get_base_model())
    for row, layer in enumerate(layers):
        layer.mlp.register_forward_hook(lambda _, __, ___, row=row: calls.append(row))
    learner = learner.prepare(notes, notes)
    calls.clear()
    losses_and_gradients(learner, notes)
    learner.scores(notes.tokens)
    assert sorted({*calls}) == [2, 3]
    assert not any("forward" in vars(layer) for layer in layers)


def test_states_beyond_the_share_of_memory_are_computed_at_every_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    base, found = save_model(tmp_path, "qwen3"), []
    for share in (0.25, 0.0):
        monkeypatch.setattr(trunk, "MEMORY_SHARE", share)
        learner, notes = make(base, "classify", frozen=2)
        with caplog.at_level(logging.INFO, logger="stages"):
            learner = learner.prepare(notes, notes)
        found.append(losses_and_gradients(learner, notes)[0])
    assert learner.trunk
    assert not learner.trunk.states
    assert "more than 0 % of the memory: computed at every pass" in caplog.messages[-1]
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


def test_frozen_layers_have_no_dropout_and_trained_ones_do(tmp_path: Path) -> None:
    import torch

    learner, notes = make(save_model(tmp_path, "bert"), "classify", frozen=3)
    learner = learner.prepare(notes, notes)
    assert learner.trunk
    unknown = replace(learner, trunk=replace(learner.trunk, states={}))
    torch.nn.init.normal_(learner.head[1].weight)
    losses = {}
    for name, mode, chosen in [("still", False, learner), ("known", True, learner), ("unknown", True, unknown)]:
        chosen.network.train(mode)
        torch.manual_seed(1)
        losses[name] = chosen.loss(notes, range(len(TEXTS)), smoothing=0)[0].item()
        assert chosen.network.training == mode
    assert losses["known"] == pytest.approx(losses["unknown"], abs=1e-5)
    assert losses["known"] != pytest.approx(losses["still"], abs=1e-3)


def test_nothing_is_reused_where_something_below_is_trained_or_layers_share_more(tmp_path: Path) -> None:
    base = save_model(tmp_path, "llama")
    learner, notes = make(base, "classify", frozen=0)
    assert learner.prepare(notes, notes).trunk is None
    learner, notes = make(base, "classify", frozen=2)
    learner.network.get_input_embeddings().requires_grad_(True)
    assert learner.prepare(notes, notes).trunk is None
    learner, notes = make(base, "classify", frozen=2)
    first, *_, last = trunk.layers_of(learner.network.get_base_model())
    passed_on: list[Any] = [0.0]
    first.mlp.register_forward_hook(lambda _, __, output: passed_on.append(output.mean()))
    last.register_forward_hook(lambda _, __, output: output + passed_on.pop() if passed_on else output)
    assert learner.prepare(notes, notes).trunk is None


def test_a_containers_limit_is_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(trunk, "LIMITS", [limit, tmp_path / "none"])
    total = trunk._memory()
    limit.write_text("max\n")
    assert trunk._memory() == total > 2**20
    limit.write_text("1048576\n")
    assert trunk._memory() == 2**20


@pytest.mark.parametrize("family", DECODERS)
def test_attention_by_plain_products_gives_the_same_numbers(family: str, tmp_path: Path) -> None:
    in_bfloat16 = COMPUTE.model_copy(update={"precision": "bfloat16"})
    learner, notes = make(save_model(tmp_path, family), "generate", frozen=0)
    scores = learner.scores(notes.tokens)
    device, before = learner.device, learner.network.config._attn_implementation
    attention.choose_attention(learner.network, longest=attention.LONGEST + 1, compute=in_bfloat16, device=device)
    assert learner.network.config._attn_implementation == before
    attention.choose_attention(learner.network, longest=attention.LONGEST, compute=in_bfloat16, device=device)
    assert learner.network.config._attn_implementation == "eager"
    np.testing.assert_allclose(learner.scores(notes.tokens), scores, atol=1e-3)
