"""Base weights of 4 and 8 bits under LoRA, by bitsandbytes where it is installed (extra `gpu`)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tiny_models import save_model
from toy_learner import COMPUTE, HALF, TEXTS, descend, gradients, make, specification

from stages.lib import model as built
from stages.lib.adapter import load_learner, save_adapter
from stages.lib.model import Compute, quantised, start
from stages.lib.stage import StageError

with_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs the extra gpu")
LAYERS_PER_BLOCK = 7  # linear ones: four of attention, three of the feed-forward network


@with_bitsandbytes
@pytest.mark.parametrize("compute", [COMPUTE, HALF], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("objective", ["classify", "generate"])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantised_base_trains_saves_reloads_and_predicts_the_same(
    bits: int, objective: str, compute: Compute, tmp_path: Path
) -> None:
    base, adapter = save_model(tmp_path / "base", "llama"), tmp_path / "adapter"
    chosen = specification(objective, quantisation=bits)
    learner = make(base, chosen, compute=compute)
    kinds = [type(module).__name__ for module in learner.network.modules()]
    assert kinds.count({4: "Linear4bit", 8: "Linear8bitLt"}[bits]) >= 2 * LAYERS_PER_BLOCK
    tokens = learner.encode(TEXTS)
    fresh = learner.scores(tokens)
    losses = descend(learner, steps=10)
    assert losses[-1] < losses[0]
    trained = learner.scores(tokens)
    assert np.abs(trained - fresh).max() > 1e-3
    save_adapter(learner, chosen, adapter)
    assert str(tmp_path) not in "".join(path.read_text() for path in adapter.glob("*.json"))
    loaded, _ = load_learner(base, adapter, compute=compute, device=start(compute))
    np.testing.assert_allclose(loaded.scores(loaded.encode(TEXTS)), trained, atol=1e-5)


@with_bitsandbytes
@pytest.mark.parametrize("bits", [4, 8])
def test_a_forward_pass_for_validation_leaves_the_gradients_as_they_are(bits: int, tmp_path: Path) -> None:
    import torch

    base, found = save_model(tmp_path, "llama"), []
    for validated in (False, True):
        learner = make(base, specification("generate", quantisation=bits))
        if validated:
            learner.network.eval()
            learner.scores(learner.encode(TEXTS))
        found.append(gradients(learner))
    for before, after in zip(*found, strict=True):
        assert torch.equal(before, after)


@with_bitsandbytes
@pytest.mark.parametrize("bits", [4, 8])
def test_gradient_checkpoints_change_nothing_over_quantised_weights(bits: int, tmp_path: Path) -> None:
    import torch

    base, chosen = save_model(tmp_path, "llama"), specification("generate", quantisation=bits)
    found = [gradients(make(base, chosen, gradient_checkpointing=checkpoints)) for checkpoints in (False, True)]
    for without, with_checkpoints in zip(*found, strict=True):
        torch.testing.assert_close(without, with_checkpoints, atol=1e-6, rtol=1e-6)


@with_bitsandbytes
def test_all_labels_are_scored_in_one_pass_of_4_bit_weights(tmp_path: Path) -> None:
    base = save_model(tmp_path, "llama")
    assert make(base, specification("generate", quantisation=4), compute=HALF).one_pass


def test_a_device_that_cannot_quantise_names_the_parameter() -> None:
    import torch

    with pytest.raises(StageError, match=r"params.yaml: model.quantisation: 4: not on mps; set null, or"):
        quantised(4, torch.device("mps"))


def test_bitsandbytes_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(built, "find_spec", lambda _: None)
    with pytest.raises(StageError, match=r"params.yaml: model.quantisation: 8: needs the extra `gpu`: pip install"):
        quantised(8, torch.device("cpu"))
