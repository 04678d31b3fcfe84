"""A transformers model that labels tokens: its folder and texts in, spans out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stages.lib.phi.labels import IDENTIFYING, NUMBERS, POSITION, entity_of
from stages.lib.phi.spans import Span, whole_words
from stages.lib.stage import StageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WINDOW = 512  # tokens, what most of these models were trained on


class TokenClassifier(NamedTuple):
    """A loaded model and what each of its labels means: an entity, and whether it starts one."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: list[tuple[str | None, bool]]
    window: int

    def finds_numbers(self) -> bool:
        """Say whether some label means more than names."""
        return any(entity in NUMBERS for entity, _ in self.labels)

    def find(self, text: str) -> list[Span]:
        """Return the entities in `text`, which the model reads in windows of tokens that overlap by a quarter.

        A window is a forward pass of its own, so that a span depends on nothing but its text; what any window finds
        counts.
        """
        import torch

        options: dict[str, Any] = {"truncation": True, "max_length": self.window, "stride": self.window // 4}
        shown = self.tokenizer(text, return_overflowing_tokens=True, return_offsets_mapping=True, **options)
        names = [name for name in self.tokenizer.model_input_names if name in shown]
        spans: list[Span] = []
        with torch.inference_mode(), _one_thread():
            for row, places in enumerate(shown["offset_mapping"]):
                logits = self.model(**{name: torch.tensor([shown[name][row]]) for name in names}).logits[0]
                spans += self._spans(text, places, logits.argmax(dim=-1).tolist())
        whole = dict.fromkeys(found for span in spans if (found := whole_words(text, span)))
        return [span for span in whole if span.entity not in NUMBERS or IDENTIFYING.search(text[span.start : span.end])]

    def _spans(self, text: str, places: list[tuple[int, int]], found: list[int]) -> list[Span]:
        """Unite neighbouring tokens of one entity, and all of one word; special tokens have empty places."""
        spans: list[Span] = []
        for (start, end), label in zip(places, found, strict=True):
            entity, first = self.labels[label]
            last = spans[-1] if spans else Span(-1, -1, "")
            inside = last.end == start and text[start - 1 : start + 1].isalnum()
            goes_on = entity == last.entity and not first and not text[last.end : start].strip()
            if start < end and (inside or goes_on):
                spans[-1] = last._replace(end=end)
            elif start < end and entity:
                spans.append(Span(start, end, entity, f"NER {self.name}"))
        return spans


def load_token_classifier(folder: Path) -> TokenClassifier:
    """Load model and tokenizer in `folder`, weights as safetensors only.

    Raises StageError where transformers cannot read them, some weights are missing or a label is unknown.
    """
    from transformers import AutoModelForTokenClassification, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # processes are what runs side by side
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    weights: dict[str, Any] = {"use_safetensors": True, "dtype": "float32", "output_loading_info": True}
    try:
        with _one_thread():  # a pool of OpenMP's threads would not survive the fork
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            model, info = AutoModelForTokenClassification.from_pretrained(folder, **options, **weights)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise StageError(f"fetch.ner.{folder.name}: transformers cannot read the model: {reason:.300}") from error
    if info["missing_keys"] or not tokenizer.is_fast:
        lacks = ", ".join(sorted(info["missing_keys"])[:5]) or "a fast tokenizer, which tells where tokens are"
        raise StageError(f"fetch.ner.{folder.name}: the model lacks {lacks}; pin one that is complete")
    named = model.config.id2label
    texts = [named[number] for number in range(model.config.num_labels)]
    labels = [(entity_of(text, folder.name), bool(POSITION.match(text)) and text[0] in "BSU") for text in texts]
    longest = getattr(model.config, "max_position_embeddings", WINDOW + 2) - 2  # RoBERTa's first two are no token's
    window = min(WINDOW, longest, tokenizer.model_max_length)
    return TokenClassifier(folder.name, model.eval(), tokenizer, labels, window)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
