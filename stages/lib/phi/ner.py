"""Names by NER: several models over the same texts, spaCy's and transformers'; what any of them finds counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stages.lib.phi.labels import entity_of
from stages.lib.phi.spans import Span
from stages.lib.phi.token_classifier import TokenClassifier, load_token_classifier

if TYPE_CHECKING:
    from spacy.language import Language

# NER brings its own tok2vec; the rest of a pipeline is most of its time and only serves lemmas
NOT_NEEDED = ("tok2vec", "tagger", "parser", "senter", "attribute_ruler", "lemmatizer")
BATCH_SIZE, BATCH_CHARACTERS = 64, 100_000  # whichever is reached first: long texts need memory


class Pipeline(NamedTuple):
    """A spaCy pipeline and what its labels mean, None for those that are ignored."""

    name: str
    language: Language
    entities: dict[str, str | None]


class Models(NamedTuple):
    """NER models, each kind by name."""

    pipelines: list[Pipeline]
    classifiers: list[TokenClassifier]


def load_models(folder: Path) -> Models:
    """Load the models below `folder`; raise StageError where one cannot be read or has an unknown label."""
    return Models(
        [load_pipeline(path) for path in pipeline_folders(folder)],
        [load_token_classifier(path) for path in classifier_folders(folder)],
    )


def pipeline_folders(folder: Path) -> list[Path]:
    """Return the folders of spaCy pipelines in `folder`, by name."""
    return sorted(path.parent for path in folder.glob("*/config.cfg"))


def classifier_folders(folder: Path) -> list[Path]:
    """Return the folders of transformers models in `folder`, by name."""
    return sorted(path.parent for path in folder.glob("*/config.json") if not path.with_suffix(".cfg").exists())


def load_pipeline(folder: Path) -> Pipeline:
    """Load the spaCy pipeline in `folder`, without the components that NER does not need."""
    import spacy

    language = spacy.load(folder, exclude=NOT_NEEDED)
    language.max_length = 100_000_000  # the limit guards the parser's memory, and the parser is off
    labels = language.pipe_labels.get("ner", [])
    return Pipeline(folder.name, language, {label: entity_of(label, folder.name) for label in labels})


def find_entities(models: Models, texts: Sequence[str]) -> list[list[Span]]:
    """Return, per text, what any of `models` finds; spans of several models overlap."""
    found: list[list[Span]] = [[] for _ in texts]
    for start, end in batches(texts):
        for name, language, entities in models.pipelines:
            documents = language.pipe(texts[start:end], batch_size=BATCH_SIZE)
            for spans, document in zip(found[start:end], documents, strict=True):
                spans += [
                    Span(entity.start_char, entity.end_char, meant, f"NER {name}")
                    for entity in document.ents
                    if (meant := entities.get(entity.label_))
                ]
    for classifier in models.classifiers:
        for spans, text in zip(found, texts, strict=True):
            spans += classifier.find(text)
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
