"""What a language model is asked, and the tokens of its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_models import save_tokenizer

from stages.lib.model import ModelParams, load_tokenizer
from stages.lib.prompts import encode_labels, encode_prompts
from stages.lib.stage import StageError

MODEL = ModelParams(layers=None, max_length=8, keep="start", prompt="Note: {note} Diagnosis?", quantisation=None)


def tokenizer(folder: Path, *, chat: bool) -> Any:
    save_tokenizer(folder, chat=chat)
    return load_tokenizer(folder)


@pytest.mark.parametrize(("chat", "expected"), [
    (True, "<user>Note: fever Diagnosis?<end>\n<assistant>"),
    (False, "Note: fever Diagnosis?\n"),
])  # fmt: skip
def test_a_prompt_ends_where_the_answer_begins(tmp_path: Path, chat: bool, expected: str) -> None:
    reader = tokenizer(tmp_path, chat=chat)
    assert reader.decode(encode_prompts(["fever"], reader, MODEL)[0]) == expected


@pytest.mark.parametrize(("keep", "expected"), [("start", "Note: 01234567 D"), ("end", "Note: 23456789 D")])
def test_a_long_note_is_cut_and_the_question_is_not(tmp_path: Path, keep: str, expected: str) -> None:
    reader = tokenizer(tmp_path, chat=False)
    model = MODEL.model_copy(update={"keep": keep})
    assert reader.decode(encode_prompts(["0123456789"], reader, model)[0]) == f"{expected}iagnosis?\n"


@pytest.mark.parametrize(("chat", "end"), [(True, "<end>"), (False, "<eos>")])
def test_an_answer_ends_as_the_chat_template_says_or_with_the_text(tmp_path: Path, chat: bool, end: str) -> None:
    reader = tokenizer(tmp_path, chat=chat)
    assert [reader.decode(ids) for ids in encode_labels(["gout", "mumps"], reader)] == [f"gout{end}", f"mumps{end}"]


def test_a_model_that_would_think_aloud_is_told_not_to(tmp_path: Path) -> None:
    reader = tokenizer(tmp_path, chat=True)
    reader.chat_template += "{% if enable_thinking is defined and not enable_thinking %}(silent){% endif %}"
    assert reader.decode(encode_prompts(["fever"], reader, MODEL)[0]).endswith("<assistant>(silent)")


def test_diagnoses_of_the_same_tokens_are_an_error(tmp_path: Path) -> None:
    reader = tokenizer(tmp_path, chat=False)
    from tokenizers.normalizers import Lowercase

    reader.backend_tokenizer.normalizer = Lowercase()
    with pytest.raises(StageError, match="cannot tell the diagnoses 'Gout' and 'gout' apart"):
        encode_labels(["Gout", "gout"], reader)


def test_a_tokenizer_without_an_end_is_an_error(tmp_path: Path) -> None:
    reader = tokenizer(tmp_path, chat=False)
    reader.eos_token = None
    with pytest.raises(StageError, match=r"has no token that ends a text; set train.objective to classify"):
        encode_labels(["gout"], reader)


@pytest.mark.parametrize("prompt", ["no note", "{note} and {note}", ""])
def test_a_prompt_without_one_place_for_the_note_is_refused(prompt: str) -> None:
    with pytest.raises(ValidationError, match=r"must have \{note\} once"):
        ModelParams(layers=None, max_length=8, keep="start", prompt=prompt, quantisation=None)


def test_braces_in_a_note_are_text(tmp_path: Path) -> None:
    reader = tokenizer(tmp_path, chat=False)
    assert reader.decode(encode_prompts(["{note}{x"], reader, MODEL)[0]) == "Note: {note}{x Diagnosis?\n"
