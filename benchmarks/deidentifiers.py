"""What benchmarks/scrub.py compares: this project and its peers, each a function from texts to ranges of characters."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from stages.lib.phi.engine import Finder, load_finder
from stages.lib.phi.redaction import redact
from stages.lib.phi.registry import ENTITY_OF, UNSURE, keep_tldextract_offline, load_recognizers
from stages.lib.phi.spans import Span
from stages.lib.phi.truecase import truecased

SCORE_THRESHOLD, KEPT = 0.35, ("NRP",)  # as in params.yaml
DOCUMENTS_PER_BATCH = 64
Ranges = list[tuple[int, int]]
System = Callable[[list[str]], list[Ranges]]


class Options(NamedTuple):
    """Where the models and the ontology are."""

    ner: Path
    ontology: Path


def load(options: Options) -> Finder:
    """Return this project's finder with the parameters of params.yaml."""
    return load_finder(options.ner, options.ontology, SCORE_THRESHOLD, KEPT)


def differential(options: Options) -> System:
    """Return this project's system: texts to ranges, every text a patient of its own."""
    finder = load(options)

    def find(texts: list[str]) -> list[Ranges]:
        batches = [texts[start : start + DOCUMENTS_PER_BATCH] for start in range(0, len(texts), DOCUMENTS_PER_BATCH)]
        found = [
            result for batch in batches for result in redact([[text] for text in batch], finder.find, finder.lexicon)
        ]
        return [[span[:2] for span in spans] for ((_, spans),) in found]

    return find


def scrubbed(text: str) -> str:
    """Return `text` as this project leaves it, from the root of the repository: what a gate such as deidgate calls."""
    finder = load(Options(Path("models/ner"), Path("data/ontology")))
    return redact([[text]], finder.find, finder.lexicon)[0][0][0]


def stock(folder: Path) -> System:
    """Return Presidio as it comes, with the spaCy model in `folder`."""
    from presidio_analyzer import AnalyzerEngine

    keep_tldextract_offline()
    analyzer = AnalyzerEngine(nlp_engine=_engine(folder), supported_languages=["en"])
    return lambda texts: [[(found.start, found.end) for found in analyzer.analyze(text, "en")] for text in texts]


def philter(_: Options) -> System:
    """Return philter-lite with its own filters."""
    import philter_lite

    filters = philter_lite.load_filters(str(Path(philter_lite.__file__).parent / "configs" / "philter_delta.toml"))
    return lambda texts: [
        _starred(philter_lite.transform_text_asterisk(text, philter_lite.detect_phi(text, filters)[0]))
        for text in texts
    ]


def scrubadub(_: Options) -> System:
    """Return scrubadub with the detectors that it installs."""
    import scrubadub as peer

    scrubber = peer.Scrubber()
    return lambda texts: [[(filth.beg, filth.end) for filth in scrubber.iter_filth(text)] for text in texts]


@functools.cache
def analyze_each(options: Options) -> Callable[[str], list[Span]]:
    """Return Presidio's `analyze` over whole spaCy pipelines, with the same recognizers and safeguards, by text."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    finder = load(options)
    engines = [_engine(options.ner / name, entities) for name, _, entities in finder.models.pipelines]
    registry = RecognizerRegistry([SpacyRecognizer(), *load_recognizers()], supported_languages=["en"])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engines[0], supported_languages=["en"])
    unsure = {recognizer.name for recognizer in registry.recognizers if type(recognizer).__name__ in UNSURE}

    def analyze(text: str) -> list[Span]:
        text = truecased(text, finder.lexicon)
        artifacts, *others = [engine.process_text(text, "en") for engine in engines]
        for other in others:
            artifacts.entities += other.entities
            artifacts.scores += other.scores
        results = analyzer.analyze(text, "en", score_threshold=SCORE_THRESHOLD, nlp_artifacts=artifacts)
        spans = [
            span
            for found in results
            for span in finder.accepted(
                text,
                [Span(found.start, found.end, ENTITY_OF.get(found.entity_type, found.entity_type))],
                unsure=found.recognition_metadata["recognizer_name"] in unsure,
            )
        ]
        return finder.joined(text, spans)

    return analyze


def _engine(folder: Path, entities: dict[str, str | None] | None = None) -> Any:
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    model = {"lang_code": "en", "model_name": str(folder)}
    ours = entities and NerModelConfiguration(
        model_to_presidio_entity_mapping={label: entity for label, entity in entities.items() if entity},
        labels_to_ignore=[label for label, entity in entities.items() if not entity],
        low_score_entity_names=[],
    )
    engine = SpacyNlpEngine(models=[model], ner_model_configuration=ours)
    engine.load()
    return engine


def _starred(text: str) -> Ranges:
    """Return the ranges that a system wrote as asterisks, with the punctuation within them, which it leaves."""
    return [match.span() for match in re.finditer(r"\*+(?:[^\w\s*]+\*+)*", text)]
