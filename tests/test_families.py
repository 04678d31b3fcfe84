"""Every family trains, saves, reloads and predicts by its folder alone, with each objective that it is made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import DECODERS, ENCODERS, save_model

from stages.lib.adapter import LoraParams, Specification, load_learner, make_learner, save_adapter
from stages.lib.classifier import Classifier
from stages.lib.learner import TrainParams, fit
from stages.lib.model import Compute, ModelParams, start
from stages.lib.notes import Notes
from stages.lib.stage import StageError

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
TEXTS = ["fever", "a longer note on joint pain and rash", "cough", "", "headache for three days", "ö ü 漢字"]
DIAGNOSES = ["Marfan syndrome", "Marfan", "Fabry disease", "Gaucher disease"]
TARGETS = [0, 1, 2, 3, 0, 1]
LORA = LoraParams(rank=2, alpha=4, dropout=0)
TRAIN = {
    "epochs": 2,
    "patience": 1,
    "batch_size": 4,
    "learning_rate": 0.01,
    "head_learning_rate": 0.01,
    "weight_decay": 0,
    "warmup": 0,
    "label_smoothing": 0.05,
    "lora": LORA,
}
CASES = [
    *((family, "classify", False) for family in [*ENCODERS, *DECODERS]),
    *((family, "generate", chat) for family in DECODERS for chat in (True, False)),
]


def specification(objective: str, *, layers: int | None = 2, **changes: Any) -> Specification:
    model = {"layers": layers, "max_length": 32, "keep": "start", "prompt": "{note} Diagnosis?"} | changes
    return Specification(objective=objective, diagnoses=DIAGNOSES, model=ModelParams.model_validate(model))


@pytest.mark.parametrize(("family", "objective", "chat"), CASES)
@pytest.mark.parametrize("layers", [2, None])
def test_a_family_trains_saves_reloads_and_predicts_the_same(
    family: str, objective: str, chat: bool, layers: int | None, tmp_path: Path
) -> None:
    import torch

    base, adapter = save_model(tmp_path / "base", family, chat=chat), tmp_path / "adapter"
    torch.manual_seed(1)
    chosen = specification(objective, layers=layers)
    learner = make_learner(chosen, base, lora=LORA, compute=COMPUTE, device=start(COMPUTE))
    notes = Notes(learner.encode(TEXTS), TARGETS)
    fresh = learner.scores(notes.tokens)
    settings = TrainParams.model_validate(TRAIN | {"objective": objective})
    history = fit(learner, {"train": notes, "validation": notes}, settings, seed=1)
    assert all(np.isfinite(list(row.values())).all() for row in history)
    learner.network.eval()
    trained = learner.scores(notes.tokens)
    assert trained.shape == (len(TEXTS), len(DIAGNOSES))
    assert np.abs(trained - fresh).max() > 1e-3
    save_adapter(learner, chosen, adapter)
    loaded, read = load_learner(base, adapter, compute=COMPUTE, device=start(COMPUTE))
    assert read == chosen
    np.testing.assert_allclose(loaded.scores(loaded.encode(TEXTS)), trained, atol=1e-3)


@pytest.mark.parametrize("family", DECODERS)
def test_every_decoder_scores_labels_in_one_pass(family: str, tmp_path: Path) -> None:
    base = save_model(tmp_path, family)
    learner = make_learner(specification("generate"), base, lora=LORA, compute=COMPUTE, device=start(COMPUTE))
    assert learner.one_pass


@pytest.mark.parametrize("family", [*DECODERS, *ENCODERS])
def test_lora_is_on_every_linear_layer_that_is_used_and_on_no_other(family: str, tmp_path: Path) -> None:
    import torch
    from transformers.pytorch_utils import Conv1D

    base = save_model(tmp_path, family)
    learner = make_learner(specification("classify"), base, lora=LORA, compute=COMPUTE, device=start(COMPUTE))
    assert isinstance(learner, Classifier)
    torch.nn.init.ones_(learner.head.weight)
    learner.loss(Notes(learner.encode(TEXTS), TARGETS), range(6), smoothing=0)[0].backward()
    modules = dict(learner.network.named_modules())
    linear = [name for name, module in modules.items() if isinstance(module, torch.nn.Linear | Conv1D)]
    assert [name for name in linear if "lora_" not in name and not name.endswith(".base_layer")] == []
    trained = {name: weight for name, weight in learner.network.named_parameters() if weight.requires_grad}
    assert [name for name, weight in trained.items() if "lora_" not in name or weight.grad is None] == []


@pytest.mark.parametrize("family", ENCODERS)
def test_an_encoder_cannot_generate(family: str, tmp_path: Path) -> None:
    base = save_model(tmp_path, family)
    with pytest.raises(StageError, match=rf"train.objective: generate: the base model \({family}\) is an encoder"):
        make_learner(specification("generate"), base, lora=LORA, compute=COMPUTE, device=start(COMPUTE))


@pytest.mark.parametrize(("objective", "said"), [
    ("classify", "model.max_length: 32: the base model reads 24 tokens"),
    ("generate", "with its answer has 33 tokens, and the base model reads 24; lower it, or shorten model.prompt"),
])  # fmt: skip
def test_a_note_longer_than_the_positions_of_the_model_names_the_parameter(
    objective: str, said: str, tmp_path: Path
) -> None:
    base = save_model(tmp_path, "gpt2", length=24)
    with pytest.raises(StageError, match=said):
        make_learner(specification(objective), base, lora=LORA, compute=COMPUTE, device=start(COMPUTE))
