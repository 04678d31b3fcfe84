from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT

from stages.lib.adapter import Learner, LoraParams, Specification, make_learner
from stages.lib.classifier import Classifier, embed
from stages.lib.learner import TrainParams, fit
from stages.lib.model import Compute, ModelParams, load_tokenizer, load_trunk, start
from stages.lib.notes import Notes, bucketed, in_small_letters, longer, shorten, tokenize
from stages.lib.stage import StageError
from stages.lib.workers import Workers

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
TEXTS = ["fever", "a longer note on joint pain and rash", "cough", "", "headache for three days", "ö ü 漢字"]


LORA = LoraParams(rank=2, alpha=4, dropout=0, layers=None, embeddings=False)
CHANGES = {"epochs": 1, "patience": 1, "batch_size": 4, "learning_rate": 0.01, "label_smoothing": 0, "lora": LORA}
SETTINGS = TrainParams.model_validate(yaml.safe_load((ROOT / "params.yaml").read_text())["train"] | CHANGES)


def classifier(base: Path, *, layers: int | None = 2) -> Learner:
    model = ModelParams(layers=layers, max_length=32, keep="start", prompt="{note}", quantisation=None)
    specification = Specification(objective="classify", diagnoses=["a", "b", "c"], model=model)
    return make_learner(specification, base, lora=LORA, compute=COMPUTE, device=start(COMPUTE))


def test_states_do_not_depend_on_batch_mates(tiny_model: Path) -> None:
    tokenizer, trunk = load_tokenizer(tiny_model), load_trunk(tiny_model, layers=None)
    tokens = tokenize(TEXTS, tokenizer, max_length=32)
    together = embed(trunk, tokens, pad_id=0, compute=COMPUTE, device=start(COMPUTE))
    alone = [embed(trunk, [ids], pad_id=0, compute=COMPUTE, device=start(COMPUTE))[0] for ids in tokens]
    np.testing.assert_allclose(together, np.array(alone), atol=1e-5)


def test_a_fresh_classifier_gives_every_diagnosis_the_same(tiny_model: Path) -> None:
    learner = classifier(tiny_model)
    assert not learner.scores(learner.encode(TEXTS)).any()


def test_the_head_sees_states_of_mean_0_and_variance_1(tiny_model: Path) -> None:
    import torch

    learner = classifier(tiny_model)
    assert isinstance(learner, Classifier)
    tokens = learner.encode(TEXTS)
    prepared = learner.prepare(Notes(tokens, [0, 1, 2, 0, 1, 2]), Notes(tokens, [0, 1, 2, 0, 1, 2]))
    seen: list[torch.Tensor] = []
    prepared.head[1].register_forward_pre_hook(lambda _, states: seen.append(states[0]))
    assert not prepared.scores(tokens).any()
    states = torch.cat(seen)
    torch.testing.assert_close(states.mean(0), torch.zeros(states.shape[1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(states.var(0, unbiased=False), torch.ones(states.shape[1]), atol=0.02, rtol=0)


def test_a_loss_that_is_no_number_stops_with_what_to_change(tiny_model: Path) -> None:
    learner = classifier(tiny_model)
    assert isinstance(learner, Classifier)
    learner.head[1].bias.data.fill_(float("nan"))
    notes = Notes(learner.encode(TEXTS), [0, 1, 2, 0, 1, 2])
    with pytest.raises(StageError, match=r"the loss is not finite in step 1 \(epoch 1\); lower train.learning_rate"):
        fit(learner, {"train": notes, "validation": notes}, SETTINGS, seed=1, workers=Workers(rank=0, count=1))


def test_too_many_layers_name_the_parameter(tiny_model: Path) -> None:
    with pytest.raises(StageError, match=r"params.yaml: model.layers: 9: the base model has 3 layers"):
        load_trunk(tiny_model, layers=9)


def test_a_device_that_is_not_there_names_the_parameter() -> None:
    with pytest.raises(StageError, match=r"params.yaml: compute.device: 'mps': this machine has none"):
        start(Compute(device="mps", precision="float32", threads=1, batch_size=1))


def test_long_notes_are_cut_and_empty_ones_keep_a_token(tiny_model: Path) -> None:
    tokens = tokenize(["x" * 100, ""], load_tokenizer(tiny_model), max_length=16)
    assert [len(ids) for ids in tokens] == [16, 1]


@pytest.mark.parametrize(("keep", "kept"), [("start", "abcdefgh"), ("end", "stuvwxyz")])
def test_a_long_note_keeps_the_side_that_is_set_and_is_counted(tiny_model: Path, keep: str, kept: str) -> None:
    tokenizer, texts = load_tokenizer(tiny_model), ["abcdefghijklmnopqrstuvwxyz", "short", ""]
    assert shorten(texts, tokenizer, max_length=8, keep=keep) == [kept, "short", ""]
    assert tokenizer.decode(tokenize(texts, tokenizer, max_length=8, keep=keep)[0]) == kept
    assert longer(texts, tokenizer, max_length=8) == [True, False, False]


def test_an_epoch_of_batches_holds_every_note_once_and_like_lengths_together() -> None:
    import torch

    lengths = [int(length) for length in np.random.default_rng(1).integers(5, 200, 500)]
    batches = list(bucketed(lengths, 8, generator=torch.Generator().manual_seed(1)))
    assert sorted(row for batch in batches for row in batch) == list(range(500))
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)
    again = list(bucketed(lengths, 8, generator=torch.Generator().manual_seed(1)))
    assert batches == again


def test_a_note_in_capitals_is_read_as_one_in_small_letters(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    loud, quiet = (
        "SHORT OF BREATH, SEEN BY [PERSON_1] ON [DATE_TIME_2]",
        "short of breath, seen by [PERSON_1] on [DATE_TIME_2]",
    )
    assert tokenize([loud], tokenizer, max_length=99) == tokenize([quiet], tokenizer, max_length=99)
    assert shorten([loud], tokenizer, max_length=99, keep="start") == [quiet]
    assert longer([loud], tokenizer, max_length=99) == longer([quiet], tokenizer, max_length=99)


@pytest.mark.parametrize(
    "text", ["ECG and MRI of LVH normal", "", "12/80", "[PERSON_1] [LOCATION_2] seen", "État stable"]
)
def test_a_note_with_some_capitals_stays_as_it_is(text: str) -> None:
    assert in_small_letters(text) == text
