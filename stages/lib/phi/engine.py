"""Find PHI in texts: NER between placeholders, Presidio's recognizers and ours, and safeguards around them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.phi import ner
from stages.lib.phi.capitals import capitals
from stages.lib.phi.labels import IDENTIFYING, NAMES
from stages.lib.phi.lexicon import Lexicon
from stages.lib.phi.lowercase import lowercase
from stages.lib.phi.registry import ENTITY_OF, UNSURE, gated_recognizers
from stages.lib.phi.safeguards import is_clinical, is_no_name, may_hold_phi
from stages.lib.phi.spans import Span, outside, placeholders, union, whole_words, with_rest
from stages.lib.phi.truecase import truecased
from stages.lib.stage import StageError

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer, RecognizerResult

WINDOW = 20_000  # characters
NO_ARTIFACTS: Any = None  # what patterns match needs no NER
WINDOW_END = re.compile(r".*(?:\n\s*\n|\n|\s)", re.DOTALL)


class Finder:
    """Models, recognizers and vocabulary, loaded once; `find` is their one use."""

    def __init__(
        self,
        models: ner.Models,
        recognizers: Iterable[EntityRecognizer],
        lexicon: Lexicon,
        *,
        score_threshold: float,
        kept: Sequence[str] = (),
    ) -> None:
        from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer

        self.models = models
        self.by_number = any(classifier.finds_numbers() for classifier in models.classifiers)
        self.gates = gated_recognizers(recognizers)
        self.lexicon = lexicon
        self.score_threshold = score_threshold
        self.kept = frozenset(kept)
        self.enhancer = LemmaContextAwareEnhancer()

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the PHI of each text: sorted, disjoint, on word boundaries, clear of placeholders.

        NER sees the pieces of a text between placeholders, and of these only what could hold PHI: searching a text
        that was scrubbed costs little. A text without capitals is read with those of names put back.
        """
        texts = [truecased(text, self.lexicon) for text in texts]
        windows = [(place, *window) for place, text in enumerate(texts) for window in _windows(text)]
        pieces = [(place, start + first, piece) for place, start, text in windows for first, piece in _pieces(text)]
        pieces = [piece for piece in pieces if self._is_for_ner(piece[2])]
        found: list[list[Span]] = [[] for _ in texts]
        entities = ner.find_entities(self.models, [text for _, _, text in pieces])
        for (place, start, _), spans in zip(pieces, entities, strict=True):
            names = [span for span in spans if span.entity in NAMES]
            numbers = [span for span in spans if span.entity not in NAMES]
            found[place] += self.accepted(texts[place], _moved(names, start), unsure=True)
            found[place] += self.accepted(texts[place], _moved(numbers, start), unsure=False)
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

    def _is_for_ner(self, piece: str) -> bool:
        """Say whether NER could find anything in `piece` that counts."""
        return may_hold_phi(piece, self.lexicon) or (self.by_number and IDENTIFYING.search(piece) is not None)

    def _by_rules(self, text: str) -> tuple[list[Span], list[Span]]:
        """Return what recognizers find in `text`, surely and by shape alone."""
        sure: list[Span] = []
        unsure: list[Span] = []
        artifacts = functools.cache(lambda: self._artifacts(text))
        for gate, recognizers in self.gates:
            if gate.search(text):
                for recognizer in recognizers:
                    results = self._results(text, recognizer, artifacts)
                    spans = [_span(result, recognizer) for result in results]
                    (unsure if type(recognizer).__name__ in UNSURE else sure).extend(spans)
        return sure, unsure

    def _results(self, text: str, recognizer: EntityRecognizer, artifacts: Callable[[], Any]) -> list[RecognizerResult]:
        """Return what `recognizer` finds with a score that counts, its context words considered."""
        results = recognizer.analyze(text, recognizer.supported_entities, NO_ARTIFACTS)
        if recognizer.context and any(result.score < self.score_threshold for result in results):
            results = self.enhancer.enhance_using_context(text, results, artifacts(), [recognizer])
        return [result for result in results if result.score >= self.score_threshold]

    def _artifacts(self, text: str) -> Any:
        from presidio_analyzer.nlp_engine import NlpArtifacts

        tokens = self.models.pipelines[0].language.make_doc(text)
        places, words = [token.idx for token in tokens], [token.lower_ for token in tokens]
        return NlpArtifacts([], tokens, places, words, nlp_engine=None, language="en")


@functools.cache
def load_finder(ner_folder: Path, ontology: Path, score_threshold: float, kept: tuple[str, ...]) -> Finder:
    """Load the models below `ner_folder`, the recognizers and the vocabulary, once per process; forks inherit them."""
    from stages.lib.phi.lexicon import read_english, read_ontology
    from stages.lib.phi.registry import load_recognizers

    english = read_english(ner.pipeline_folders(ner_folder))
    if not english.nouns:
        raise StageError(
            f"{ner_folder}: no model brings the words of English (lemmatizer/lookups of a spaCy pipeline), which tell "
            "a name from a word; keep an English spaCy pipeline in fetch.ner beside any other model"
        )
    models = ner.load_models(ner_folder)
    vocabularies = [pipeline.language.vocab for pipeline in models.pipelines]
    lexicon = Lexicon(vocabularies, english=english, ontology=read_ontology(ontology))
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
