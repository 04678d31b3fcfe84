"""Names by NER: several spaCy models over the same texts; what any of them finds counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.phi.spans import Span

if TYPE_CHECKING:
    from spacy.language import Language

# NER brings its own tok2vec; the rest of a pipeline is most of its time and only serves lemmas
NOT_NEEDED = ("tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer")
# Dates are left to the date recognizer, which knows a duration
ENTITY = {
    "PERSON": "PERSON",
    "PER": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
    "NORP": "NRP",
}
BATCH_SIZE, BATCH_CHARACTERS = 128, 100_000  # whichever is reached first: long texts need memory


def load_models(folders: Sequence[Path], *, exclude: Sequence[str] = NOT_NEEDED) -> list[Language]:
    """Load the spaCy model in each of `folders`, without the pipes in `exclude`."""
    import spacy

    models = [spacy.load(path, exclude=exclude) for path in folders]
    for model in models:
        model.max_length = 100_000_000  # the limit guards the parser's memory, and the parser is off
    return models


def model_folders(folder: Path) -> list[Path]:
    """Return the folders of spaCy models in `folder`, by name."""
    return sorted(path.parent for path in folder.glob("*/config.cfg"))


def find_entities(models: Sequence[Language], texts: Sequence[str]) -> list[list[Span]]:
    """Return, per text, what any of `models` finds; spans of several models overlap."""
    found: list[list[Span]] = [[] for _ in texts]
    for start, end in batches(texts):
        for model in models:
            documents = model.pipe(texts[start:end], batch_size=BATCH_SIZE)
            for spans, document in zip(found[start:end], documents, strict=True):
                spans += [
                    Span(entity.start_char, entity.end_char, ENTITY[entity.label_], f"NER {model.path.name}")
                    for entity in document.ents
                    if entity.label_ in ENTITY
                ]
    return found


def batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the places, from and to, of as many texts as models read at a time: at least one."""
    start = characters = 0
    for place, text in enumerate(texts):
        characters += len(text)
        if place > start and (place - start == BATCH_SIZE or characters > BATCH_CHARACTERS):
            yield start, place
            start, characters = place, len(text)
    if texts:
        yield start, len(texts)
