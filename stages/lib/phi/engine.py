"""Find PHI in texts: NER between placeholders, Presidio's recognizers and ours, and safeguards around them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.phi import ner
from stages.lib.phi.capitals import capitals
from stages.lib.phi.lexicon import Lexicon
from stages.lib.phi.lowercase import lowercase
from stages.lib.phi.registry import ENTITY_OF, UNSURE, gated_recognizers
from stages.lib.phi.safeguards import is_clinical, is_no_name, may_hold_phi
from stages.lib.phi.spans import Span, outside, placeholders, union, whole_words, with_rest

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult
    from spacy.language import Language

WINDOW = 20_000  # characters
NO_ARTIFACTS: Any = None  # what patterns match needs no NER
WINDOW_END = re.compile(r".*(?:\n\s*\n|\n|\s)", re.DOTALL)


class Finder:
    """Models, recognizers and vocabulary, loaded once; `find` is their one use."""

    def __init__(
        self,
        models: Sequence[Language],
        recognizers: Iterable[EntityRecognizer],
        lexicon: Lexicon,
        *,
        score_threshold: float,
        kept: Sequence[str] = (),
    ) -> None:
        from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

        self.models = models
        self.gates = gated_recognizers(recognizers)
        self.lexicon = lexicon
        self.score_threshold = score_threshold
        self.kept = frozenset(kept)
        self.enhancer = LemmaContextAwareEnhancer()

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the PHI of each text: sorted, disjoint, on word boundaries, clear of placeholders.

        NER sees the pieces of a text between placeholders, and of these only what could hold PHI: searching a text
        that was scrubbed costs little.
        """
        windows = [(place, *window) for place, text in enumerate(texts) for window in _windows(text)]
        pieces = [(place, start + first, piece) for place, start, text in windows for first, piece in _pieces(text)]
        pieces = [piece for piece in pieces if may_hold_phi(piece[2], self.lexicon)]
        found: list[list[Span]] = [[] for _ in texts]
        entities = ner.find_entities(self.models, [text for _, _, text in pieces])
        for (place, start, _), spans in zip(pieces, entities, strict=True):
            found[place] += self.accepted(texts[place], _moved(spans, start), unsure=True)
        for place, start, text in windows:
            sure, unsure = self._by_rules(text)
            found[place] += self.accepted(texts[place], _moved(sure, start), unsure=False)
            found[place] += self.accepted(texts[place], _moved(unsure, start), unsure=True)
        return [self.joined(text, spans) for text, spans in zip(texts, found, strict=True)]

    def accepted(self, text: str, spans: Iterable[Span], *, unsure: bool) -> list[Span]:
        """Return what of `spans` is PHI; what is `unsure` must be no clinical word."""
        taken = placeholders(text)
        return [
            span
            for span in outside(spans, taken)
            if span.entity not in self.kept
            and not (span.entity == "PERSON" and is_no_name(text[span.start : span.end]))
            and not (unsure and is_clinical(text, span, self.lexicon))
        ]

    def joined(self, text: str, spans: Iterable[Span]) -> list[Span]:
        """Return `spans`, and the words that only a capital gives away, united and grown to whole words."""
        taken = placeholders(text)
        by_case = {"unknown capital": capitals(text, self.lexicon), "lower-case name": lowercase(text, self.lexicon)}
        named = [span._replace(recognizer=name) for name, found in by_case.items() for span in found]
        unknown = outside(named, taken)
        whole = [
            with_rest(found, text, self.lexicon) for span in [*spans, *unknown] if (found := whole_words(text, span))
        ]
        return outside(union(whole, text), taken)

    def _by_rules(self, text: str) -> tuple[list[Span], list[Span]]:
        """Return what recognizers find in `text`, surely and by shape alone."""
        sure: list[Span] = []
        unsure: list[Span] = []
        for gate, recognizers in self.gates:
            if gate.search(text):
                for recognizer in recognizers:
                    spans = [_span(result, recognizer) for result in self._results(text, recognizer)]
                    (unsure if type(recognizer).__name__ in UNSURE else sure).extend(spans)
        return sure, unsure

    def _results(self, text: str, recognizer: EntityRecognizer) -> list[RecognizerResult]:
        """Return what `recognizer` finds with a score that counts, its context words considered."""
        results = recognizer.analyze(text, recognizer.supported_entities, NO_ARTIFACTS)
        if recognizer.context and any(result.score < self.score_threshold for result in results):
            results = self.enhancer.enhance_using_context(text, results, self._artifacts(text), [recognizer])
        return [result for result in results if result.score >= self.score_threshold]

    def _artifacts(self, text: str) -> Any:
        from presidio_analyzer.nlp_engine import NlpArtifacts

        tokens = self.models[0].make_doc(text)
        places, words = [token.idx for token in tokens], [token.lower_ for token in tokens]
        return NlpArtifacts([], tokens, places, words, nlp_engine=None, language="en")


@functools.cache
def load_finder(ner_folder: Path, ontology: Path, score_threshold: float, kept: tuple[str, ...]) -> Finder:
    """Load the models below `ner_folder`, the recognizers and the vocabulary, once per process; forks inherit them."""
    from stages.lib.phi.lexicon import read_english, read_ontology
    from stages.lib.phi.registry import load_recognizers

    folders = ner.model_folders(ner_folder)
    models = ner.load_models(folders)
    vocabularies = [model.vocab for model in models]
    lexicon = Lexicon(vocabularies, english=read_english(folders), ontology=read_ontology(ontology))
    return Finder(models, load_recognizers(), lexicon, score_threshold=score_threshold, kept=kept)


def _windows(text: str) -> Iterator[tuple[int, str]]:
    """Yield parts of a long text and where they start, cut at a blank: the time of some patterns grows faster."""
    start = 0
    while len(text) - start > WINDOW:
        cut = WINDOW_END.match(text, start, start + WINDOW)
        end = cut.end() if cut else start + WINDOW
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield what lies between placeholders, and where it starts."""
    for span in outside([Span(0, len(text), "")], placeholders(text)):
        yield span.start, text[span.start : span.end]


def _moved(spans: Iterable[Span], by: int) -> list[Span]:
    return [span._replace(start=span.start + by, end=span.end + by) for span in spans]


def _span(result: RecognizerResult, recognizer: EntityRecognizer) -> Span:
    entity = ENTITY_OF.get(result.entity_type, result.entity_type)
    name = str(recognizer.name)  # type: ignore[has-type]  # Presidio sets it without a type
    return Span(result.start, result.end, entity, name, result.score)
