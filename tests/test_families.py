"""Every family trains, saves, reloads and predicts by its folder alone, with each objective that it is made for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tiny_models import DECODERS, ENCODERS, save_model
from toy_learner import (
    COMPUTE,
    DIAGNOSES,
    LORA,
    LORA_ON_TOP,
    LORA_ON_WORDS,
    TEXTS,
    descend,
    gradients,
    make,
    specification,
)

from stages.lib.adapter import load_learner, save_adapter
from stages.lib.classifier import Classifier
from stages.lib.lora import LoraParams
from stages.lib.model import start
from stages.lib.stage import StageError

CASES = [
    *((family, "classify", False) for family in [*ENCODERS, *DECODERS]),
    *((family, "generate", chat) for family in DECODERS for chat in (True, False)),
]
METHODS = {
    "LoRA": (2, LORA),
    "LoRA on top of all": (None, LORA_ON_TOP),
    "LoRA on words too": (2, LORA_ON_WORDS),
    "full": (2, None),
}


@pytest.mark.parametrize(("family", "objective", "chat"), CASES)
@pytest.mark.parametrize(("layers", "lora"), METHODS.values(), ids=METHODS)
def test_a_family_trains_saves_reloads_and_predicts_the_same(
    family: str, objective: str, chat: bool, layers: int | None, lora: LoraParams | None, tmp_path: Path
) -> None:
    base, adapter = save_model(tmp_path / "base", family, chat=chat), tmp_path / "adapter"
    chosen = specification(objective, layers=layers)
    learner = make(base, chosen, lora=lora)
    tokens = learner.encode(TEXTS)
    fresh = learner.scores(tokens)
    assert np.isfinite(descend(learner)).all()
    trained = learner.scores(tokens)
    assert trained.shape == (len(TEXTS), len(DIAGNOSES))
    assert np.abs(trained - fresh).max() > 1e-3
    save_adapter(learner, chosen, adapter)
    loaded, read = load_learner(base, adapter, compute=COMPUTE, device=start(COMPUTE))
    assert read == chosen
    np.testing.assert_allclose(loaded.scores(loaded.encode(TEXTS)), trained, atol=1e-3)


@pytest.mark.parametrize("family", DECODERS)
def test_every_decoder_scores_labels_in_one_pass(family: str, tmp_path: Path) -> None:
    assert make(save_model(tmp_path, family), specification("generate")).one_pass


@pytest.mark.parametrize("family", [*DECODERS, *ENCODERS])
def test_lora_is_on_every_linear_layer_that_is_used_and_on_no_other(family: str, tmp_path: Path) -> None:
    import torch
    from transformers.pytorch_utils import Conv1D

    learner = make(save_model(tmp_path, family), specification("classify"))
    assert isinstance(learner, Classifier)
    torch.nn.init.ones_(learner.head[1].weight)
    gradients(learner)
    modules = dict(learner.network.named_modules())
    linear = [name for name, module in modules.items() if isinstance(module, torch.nn.Linear | Conv1D)]
    assert [name for name in linear if "lora_" not in name and not name.endswith(".base_layer")] == []
    trained = {name: weight for name, weight in learner.network.named_parameters() if weight.requires_grad}
    assert [name for name, weight in trained.items() if "lora_" not in name or weight.grad is None] == []


@pytest.mark.parametrize("family", [*DECODERS, *ENCODERS])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_lora_goes_to_the_last_layers_that_are_kept(family: str, layers: int, tmp_path: Path) -> None:
    base = save_model(tmp_path, family)
    lora = LORA.model_copy(update={"layers": layers})
    names = [
        [name for name, weight in learner.network.named_parameters() if weight.requires_grad]
        for learner in (make(base, specification("classify", layers=3), lora=method) for method in (lora, LORA))
    ]
    below = re.compile(rf"\.[0-{2 - layers}]\." if layers < 3 else "nothing is below")
    assert names[0] == [name for name in names[1] if not below.search(name)]
    assert {int(re.findall(r"\.(\d)\.", name)[0]) for name in names[0]} == set(range(3 - layers, 3))


@pytest.mark.parametrize("layers", [None, 1])
def test_the_embeddings_that_a_decoder_writes_by_are_left_alone(layers: int | None, tmp_path: Path) -> None:
    base, lora = save_model(tmp_path, "llama"), LORA_ON_WORDS.model_copy(update={"layers": layers})
    assert "lora_embedding_A" not in str(make(base, specification("generate"), lora=lora).network.state_dict().keys())


@pytest.mark.parametrize("family", [*DECODERS, *ENCODERS])
@pytest.mark.parametrize("layers", [None, 1])
def test_lora_goes_to_the_embeddings_of_words_where_asked_for(family: str, layers: int | None, tmp_path: Path) -> None:
    base, chosen = save_model(tmp_path, family), specification("classify")
    plain, more = (
        {name for name, weight in make(base, chosen, lora=lora).network.named_parameters() if weight.requires_grad}
        for lora in (LORA.model_copy(update={"layers": layers}), LORA_ON_WORDS.model_copy(update={"layers": layers}))
    )
    assert plain < more
    assert len(more - plain) == 2
    assert all("lora_embedding_" in name for name in more - plain)


def test_more_layers_for_lora_than_are_kept_name_the_parameter(tmp_path: Path) -> None:
    base, lora = save_model(tmp_path, "llama"), LORA.model_copy(update={"layers": 3})
    with pytest.raises(StageError, match=r"train.lora.layers: 3: only 2 layers of the base model are kept"):
        make(base, specification("classify"), lora=lora)


@pytest.mark.parametrize("family", ENCODERS)
def test_an_encoder_cannot_generate(family: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=rf"train.objective: generate: the base model \({family}\) is an encoder"):
        make(save_model(tmp_path, family), specification("generate"))


@pytest.mark.parametrize(("objective", "said"), [
    ("classify", "model.max_length: 32: the base model reads 24 tokens"),
    ("generate", "with its answer has 33 tokens, and the base model reads 24; lower it, or shorten model.prompt"),
])  # fmt: skip
def test_a_note_longer_than_the_positions_of_the_model_names_the_parameter(
    objective: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(StageError, match=said):
        make(save_model(tmp_path, "gpt2", length=24), specification(objective))


def test_padding_that_the_model_has_no_state_for_is_replaced(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    base = save_model(tmp_path, "llama")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"pad_token": "<new>"})
    tokenizer.save_pretrained(base)
    learner = make(base, specification("classify"))
    assert learner.tokenizer.pad_token == "<eos>"
    assert np.isfinite(descend(learner)).all()


def test_a_tokenizer_that_lacks_what_is_needed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import PreTrainedTokenizerFast

    base = save_model(tmp_path, "llama")
    monkeypatch.setattr(PreTrainedTokenizerFast, "is_fast", False)
    with pytest.raises(StageError, match=r"train.objective: generate: the tokenizer of the base model has no"):
        make(base, specification("generate"))
    config = json.loads((base / "tokenizer_config.json").read_text())
    kept = {key: value for key, value in config.items() if key not in {"pad_token", "eos_token"}}
    (base / "tokenizer_config.json").write_text(json.dumps(kept))
    (base / "special_tokens_map.json").unlink(missing_ok=True)
    with pytest.raises(StageError, match=r"the tokenizer has no padding, end or unknown token; choose another"):
        make(base, specification("classify"))
