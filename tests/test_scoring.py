"""Labels scored as branches of one pass have the likelihoods that they have apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import DECODERS, WINDOW, save_model

from stages.lib.generator import Generator, make_generator
from stages.lib.model import Compute, ModelParams, freeze, load_language_model, load_tokenizer, start
from stages.lib.scoring import HEAD_ROWS, label_tree, separate_scores, tree_scores

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
PROMPTS = [[7, 8, 9], [10] * 20, [11], [5, *range(12, 40)]]
LABELS = [[50, 51, 1], [50, 1], [50, 51, 52, 53, 1], [60, 1], [61, 62, 63, 1], [50, 51, 54, 1]]
DIAGNOSES = ["Marfan syndrome", "Marfan", "Fabry disease", "Gaucher disease"]


def network(folder: Path, family: str, **changes: Any) -> Any:
    return load_language_model(save_model(folder, family, **changes), layers=None, key="key").eval()


def both(model: Any, prompts: list[list[int]], labels: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    import torch

    with torch.inference_mode():
        options = {"pad_id": 0, "device": start(COMPUTE)}
        together = tree_scores(model, prompts, label_tree(labels), **options)
        return together.numpy(), separate_scores(model, prompts, labels, **options).numpy()


@pytest.mark.parametrize("family", DECODERS)
def test_one_pass_is_exact_within_and_beyond_a_sliding_window(family: str, tmp_path: Path) -> None:
    assert max(map(len, PROMPTS)) > WINDOW
    together, apart = both(network(tmp_path, family), PROMPTS, LABELS)
    np.testing.assert_allclose(together, apart, atol=1e-4)
    assert np.ptp(apart) > 1  # the random model does not give all the same


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_one_pass_is_exact_by_either_attention(family: str, tmp_path: Path) -> None:
    model = network(tmp_path, family)
    model.set_attn_implementation("eager")
    np.testing.assert_allclose(*both(model, PROMPTS, LABELS), atol=1e-4)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return network(tmp_path_factory.mktemp("llama"), "llama")


tokens = st.integers(5, 12)
distinct = st.lists(st.lists(tokens, min_size=1, max_size=5), min_size=1, max_size=8, unique_by=tuple)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts=st.lists(st.lists(tokens, min_size=1, max_size=9), min_size=1, max_size=4), labels=distinct)
def test_one_pass_is_exact_for_any_prompts_and_labels(
    llama: Any, prompts: list[list[int]], labels: list[list[int]]
) -> None:
    np.testing.assert_allclose(*both(llama, prompts, [[*label, 1] for label in labels]), atol=1e-4)


@given(labels=distinct)
def test_a_tree_has_a_node_for_every_distinct_prefix(labels: list[list[int]]) -> None:
    prefixes = {tuple(label[:length]) for label in labels for length in range(len(label) + 1)}
    tree = label_tree([[*label, 1] for label in labels])
    assert len(tree.tokens) == len(prefixes)
    assert len(tree.steps) == sum(len(label) + 1 for label in labels)


def test_the_label_likelihoods_are_those_of_the_whole_vocabulary(llama: Any) -> None:
    """All answers of one token and the end, and those that go on, make up the whole."""
    labels = [[token] for token in range(llama.config.vocab_size)]
    together, _ = both(llama, [[7, 8, 9]], labels)
    assert np.exp(together).sum() == pytest.approx(1, abs=1e-4)


def test_a_label_that_begins_another_is_scored_with_its_end(llama: Any) -> None:
    (with_end,), _ = both(llama, [[7, 8, 9]], [[50, 1], [50, 51, 1]])
    (without,), _ = both(llama, [[7, 8, 9]], [[50], [50, 51]])
    assert (with_end < without).all()
    assert without[0] > without[1]  # for any model: so a label's beginning alone would always win


def test_a_large_tree_takes_fewer_prompts_at_once() -> None:
    def tree(labels: int) -> Any:
        return label_tree([[index, 1] for index in range(labels)])

    assert [tree(labels).prompts_per_pass(32) for labels in (1, HEAD_ROWS // 4 - 1, 5 * HEAD_ROWS)] == [32, 4, 1]


def generator(base: Path, *, precision: str = "float32") -> Generator:
    compute = COMPUTE.model_copy(update={"precision": precision})
    model = ModelParams(layers=None, max_length=32, keep="start", prompt="{note} Diagnosis?", quantisation=None)
    loaded = load_language_model(base, layers=None, key="key")
    made = make_generator(
        loaded, load_tokenizer(base), diagnoses=DIAGNOSES, model=model, compute=compute, device=start(compute)
    )
    freeze(loaded, compute, start(compute))
    return made


def test_a_model_with_a_state_along_the_sequence_scores_each_label_apart(tmp_path: Path) -> None:
    base = save_model(tmp_path, "mamba", state_size=4)
    made = generator(base)
    assert not made.one_pass
    assert made.scores(made.encode(["fever", "a rash"])).shape == (2, 4)


def test_reduced_precision_stays_near_full_and_keeps_tied_embeddings(tmp_path: Path) -> None:
    import torch

    base = save_model(tmp_path, "llama")
    full, reduced = generator(base), generator(base, precision="bfloat16")
    prompts = full.encode(["fever", "a rash on both arms"])
    np.testing.assert_allclose(full.scores(prompts), reduced.scores(prompts), rtol=0.05)
    assert reduced.network.get_input_embeddings().weight.dtype == torch.float32
    assert reduced.network.get_output_embeddings().weight.dtype == torch.bfloat16
