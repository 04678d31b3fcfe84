"""Several spaCy models as one Presidio NLP engine: what any of them finds counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

if TYPE_CHECKING:
    from spacy.language import Language

# NER brings its own tok2vec; the rest of a pipeline is most of its time and only serves lemmas
NOT_NEEDED = ["tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer"]
ENTITY = {
    "PERSON": "PERSON",
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
    "NORP": "NRP",
}
SCORE = 0.85


class UnionOfModels(NlpEngine):  # Presidio accepts nothing else
    """Run every spaCy model of a folder; dates are left to the date recognizer, which knows a duration."""

    def __init__(self, models: list[Language]) -> None:
        self.models = models

    def load(self) -> None:
        """Do nothing: the models are loaded."""

    def is_loaded(self) -> bool:
        """Say yes."""
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Return the artifacts of one text."""
        return next(self.process_batch([text], language))[1]

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 128, n_process: int = 1, **_: Any
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Yield each text with its artifacts, in order; context words are compared in lower case, without lemmas."""
        texts = list(texts)
        for text, *documents in zip(
            texts, *(model.pipe(texts, batch_size=batch_size) for model in self.models), strict=True
        ):
            entities = [span for document in documents for span in document.ents if span.label_ in ENTITY]
            for span in entities:
                span.label_ = ENTITY[span.label_]
            tokens = documents[0]
            yield (
                text,
                NlpArtifacts(
                    entities=entities,
                    tokens=tokens,
                    tokens_indices=[token.idx for token in tokens],
                    lemmas=[token.lower_ for token in tokens],
                    nlp_engine=self,
                    language=language,
                    scores=[SCORE] * len(entities),
                ),
            )

    def is_stopword(self, word: str, language: str) -> bool:
        """Say yes: Presidio's keywords, which nothing here reads, stay empty."""
        return True

    def is_punct(self, word: str, language: str) -> bool:
        """Say no."""
        return False

    def get_supported_entities(self) -> list[str]:
        """Return Presidio's names of what the models find."""
        return sorted({*ENTITY.values()})

    def get_supported_languages(self) -> list[str]:
        """Return English."""
        return ["en"]


def load_models(folder: Path) -> list[Language]:
    """Load, by name, the NER part of the spaCy model in each sub-folder of `folder`."""
    import spacy

    folders = sorted(path.parent for path in folder.glob("*/config.cfg"))
    models = [spacy.load(path, exclude=NOT_NEEDED) for path in folders]
    for model in models:
        model.max_length = 100_000_000  # the limit guards the parser's memory, and the parser is off
    return models
