"""Prompts and answers as a language model's token ids: notes and diagnoses in, what precedes and what is scored out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages.lib.model import ModelParams
from stages.lib.notes import shorten
from stages.lib.stage import StageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ANSWER = "ANSWER"


def encode_prompts(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, model: ModelParams) -> list[list[int]]:
    """Return for each note the token ids up to where the answer begins, the note cut to `model.max_length` tokens.

    The question goes through the tokenizer's chat template; a model without one sees it as plain text and a new line.
    """
    notes = shorten(texts, tokenizer, max_length=model.max_length, keep=model.keep)
    questions = [model.prompt.replace("{note}", note) for note in notes]
    if tokenizer.chat_template:
        return _tokens([_chat(tokenizer, question) for question in questions], tokenizer)
    encoded = [list(ids) for ids in tokenizer([f"{question}\n" for question in questions])["input_ids"]]
    return [ids[:-1] if ids[-1] == tokenizer.eos_token_id else ids for ids in encoded]


def encode_labels(diagnoses: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Return the token ids of each diagnosis as an answer, the token that ends it included.

    Raise StageError where two diagnoses have the same tokens, or the tokenizer knows no end.
    """
    end = _end(tokenizer)
    labels = [[*ids, end] for ids in _tokens(diagnoses, tokenizer)]
    first: dict[tuple[int, ...], str] = {}
    for diagnosis, label in zip(diagnoses, labels, strict=True):
        if (other := first.setdefault(tuple(label), diagnosis)) != diagnosis:
            raise StageError(
                f"models/base: its tokenizer cannot tell the diagnoses '{other}' and '{diagnosis}' apart; rename one, "
                "or set train.objective to classify"
            )
    return labels


def _end(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token after an answer: what the chat template writes there, else the end of the text."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": ANSWER}]
        chat = str(tokenizer.apply_chat_template(messages, tokenize=False))
        if after := chat.rpartition(ANSWER)[2].strip():
            return _tokens([after], tokenizer)[0][0]
    if tokenizer.eos_token_id is None:
        raise StageError("models/base: its tokenizer has no token that ends a text; set train.objective to classify")
    return int(tokenizer.eos_token_id)


def _chat(tokenizer: PreTrainedTokenizerBase, question: str) -> str:
    """Return the question as a chat, up to the answer; a model that would think aloud first is told not to."""
    messages = [{"role": "user", "content": question}]
    return str(
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    )


def _tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    return [list(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
