from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.lib.learner import Learner, Notes, bucketed, fit
from stages.lib.model import (
    Compute,
    Specification,
    embed,
    load_classifier,
    load_tokenizer,
    load_trunk,
    save_classifier,
    start,
    tokenize,
)
from stages.lib.stage import StageError
from stages.train import Params, build

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
TEXTS = ["fever", "a longer note on joint pain and rash", "cough", "", "headache for three days", "ö ü 漢字"]


def parameters(*, layers: int | None = 2) -> Params:
    train = {
        "objective": "classify",
        "epochs": 1,
        "patience": 1,
        "batch_size": 4,
        "learning_rate": 0.01,
        "head_learning_rate": 0.01,
        "weight_decay": 0,
        "warmup": 0,
        "label_smoothing": 0,
        "lora": {"rank": 2, "alpha": 4, "dropout": 0},
    }
    return Params.model_validate(
        {"seed": 1, "compute": COMPUTE, "model": {"layers": layers, "max_length": 32}, "train": train}
    )


def test_states_do_not_depend_on_batch_mates(tiny_model: Path) -> None:
    tokenizer, trunk = load_tokenizer(tiny_model), load_trunk(tiny_model, layers=None)
    tokens = tokenize(TEXTS, tokenizer, max_length=32)
    together = embed(trunk, tokens, pad_id=0, compute=COMPUTE, device=start(COMPUTE))
    alone = [embed(trunk, [ids], pad_id=0, compute=COMPUTE, device=start(COMPUTE))[0] for ids in tokens]
    np.testing.assert_allclose(together, np.array(alone), atol=1e-5)


@pytest.mark.parametrize("layers", [None, 1, 2])
def test_a_classifier_predicts_the_same_after_it_was_saved_and_loaded(
    tiny_model: Path, tmp_path: Path, layers: int | None
) -> None:
    import torch

    tokenizer = load_tokenizer(tiny_model)
    torch.manual_seed(1)
    trunk, head = build(parameters(layers=layers), tiny_model, classes=3)
    for weight in (*trunk.parameters(), *head.parameters()):  # fresh LoRA weights change nothing, so give them values
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.3)
    save_classifier(trunk, head, Specification(["a", "b", "c"], layers, 32), tmp_path)
    loaded, loaded_head, specification = load_classifier(tiny_model, tmp_path)
    tokens = tokenize(TEXTS, tokenizer, max_length=32)
    device = start(COMPUTE)
    before, after = (embed(t, tokens, pad_id=0, compute=COMPUTE, device=device) for t in (trunk, loaded))
    np.testing.assert_allclose(before, after, atol=1e-4)
    assert (loaded_head.weight == head.weight).all()
    assert specification == Specification(["a", "b", "c"], layers, 32)


@pytest.mark.parametrize("family", ["bert", "gpt2", "qwen3"])
def test_another_family_trains_and_predicts_by_its_folder_alone(family: str, tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModel

    tokenizer = load_tokenizer(tiny_model)
    tokenizer.save_pretrained(tmp_path)
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = AutoConfig.for_model(family, **sizes, intermediate_size=32, num_key_value_heads=1, head_dim=8)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    trunk, head = build(parameters(layers=2), tmp_path, classes=3)
    tokens = tokenize(TEXTS, load_tokenizer(tmp_path), max_length=32)
    learner = Learner(trunk, head, tokenizer.pad_token_id, COMPUTE, start(COMPUTE))
    notes = Notes(tokens, [0, 1, 2, 0, 1, 2])
    history = fit(learner, {"train": notes, "validation": notes}, parameters().train, seed=1)
    assert [row["epoch"] for row in history] == [1]
    assert embed(trunk, tokens, pad_id=0, compute=COMPUTE, device=start(COMPUTE)).shape == (6, 16)


def test_a_loss_that_is_no_number_stops_with_what_to_change(tiny_model: Path) -> None:
    trunk, head = build(parameters(), tiny_model, classes=3)
    head.bias.data.fill_(float("nan"))
    notes = Notes(tokenize(TEXTS, load_tokenizer(tiny_model), max_length=32), [0, 1, 2, 0, 1, 2])
    learner = Learner(trunk, head, 0, COMPUTE, start(COMPUTE))
    with pytest.raises(StageError, match=r"the loss is not finite in epoch 1; lower train.learning_rate"):
        fit(learner, {"train": notes, "validation": notes}, parameters().train, seed=1)


def test_too_many_layers_name_the_parameter(tiny_model: Path) -> None:
    with pytest.raises(StageError, match=r"params.yaml: model.layers: 9: the base model has 3 layers"):
        load_trunk(tiny_model, layers=9)


def test_a_device_that_is_not_there_names_the_parameter() -> None:
    with pytest.raises(StageError, match=r"params.yaml: compute.device: 'mps': this machine has none"):
        start(Compute(device="mps", precision="float32", threads=1, batch_size=1))


def test_long_notes_are_cut_and_empty_ones_keep_a_token(tiny_model: Path) -> None:
    tokens = tokenize(["x" * 100, ""], load_tokenizer(tiny_model), max_length=16)
    assert [len(ids) for ids in tokens] == [16, 1]


def test_an_epoch_of_batches_holds_every_note_once_and_like_lengths_together() -> None:
    import torch

    lengths = [int(length) for length in np.random.default_rng(1).integers(5, 200, 500)]
    batches = list(bucketed(lengths, 8, generator=torch.Generator().manual_seed(1)))
    assert sorted(row for batch in batches for row in batch) == list(range(500))
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)
    again = list(bucketed(lengths, 8, generator=torch.Generator().manual_seed(1)))
    assert batches == again
