"""Find PHI in a text: Presidio's analyzer over several NER models, its own recognizers and ours."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.phi import names, places
from stages.lib.phi.names import TITLES
from stages.lib.phi.spans import Span, outside, placeholders, union, whole_words, with_code

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerResult

    from stages.lib.phi.lexicon import Lexicon

PLACEHOLDER_OF = {
    "CREDIT_CARD": "ID",
    "CRYPTO": "ID",
    "IBAN_CODE": "ID",
    "MAC_ADDRESS": "IP_ADDRESS",
    "MEDICAL_LICENSE": "ID",
    "UK_NHS": "ID",
    "US_BANK_NUMBER": "ID",
    "US_DRIVER_LICENSE": "ID",
    "US_HEALTH_INSURANCE_MEMBER_ID": "ID",
    "US_ITIN": "ID",
    "US_MBI": "ID",
    "US_NPI": "ID",
    "US_PASSPORT": "ID",
    "US_SSN": "ID",
}
UNSURE = frozenset({"SpacyRecognizer", places.UNSURE, names.UNSURE})  # what these find must pass the safeguards
OWN = ("DATE_TIME", "AGE", "ID", "PERSON", "LOCATION", "ORGANIZATION", "NRP", "UK_NHS")
# A recognizer that costs much runs only where its text could match at all.
NEEDS = {
    re.compile(r"\d(?:\D{0,4}\d){6}"): ("PHONE_NUMBER", "CREDIT_CARD", "US_BANK_NUMBER", "US_NPI", "US_SSN", "US_ITIN"),
    re.compile(r"\d\D?\d"): (
        "CRYPTO",
        "IBAN_CODE",
        "MEDICAL_LICENSE",
        "US_DRIVER_LICENSE",
        "US_HEALTH_INSURANCE_MEMBER_ID",
        "US_MBI",
        "US_PASSPORT",
    ),
    re.compile("@"): ("EMAIL_ADDRESS",),
    re.compile(r"\w\.[A-Za-z]{2}|://"): ("URL",),
    re.compile(r"[\dA-Fa-f][:.-][\dA-Fa-f:]"): ("IP_ADDRESS", "MAC_ADDRESS"),
}


class Finder:
    """Presidio's analyzer with the safeguards around it; `find` is its one use."""

    def __init__(
        self, analyzer: AnalyzerEngine, lexicon: Lexicon, *, score_threshold: float, kept: Sequence[str] = ()
    ) -> None:
        self.analyzer = analyzer
        self.lexicon = lexicon
        self.score_threshold = score_threshold
        self.kept = frozenset(kept)

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the PHI of each text: sorted, disjoint, on word boundaries, clear of placeholders."""
        artifacts = self.analyzer.nlp_engine.process_batch(texts, "en", batch_size=128)
        return [self._find(text, artifact) for text, artifact in artifacts]

    def _find(self, text: str, artifacts: Any) -> list[Span]:
        entities = [*OWN, *(entity for need, names in NEEDS.items() if need.search(text) for entity in names)]
        results = self.analyzer.analyze(
            text, "en", entities=entities, score_threshold=self.score_threshold, nlp_artifacts=artifacts
        )
        taken = placeholders(text)
        spans = [
            span
            for result in results
            for span in outside([_span(result)], taken)
            if self._is_phi(text, span, unsure=_is_unsure(result))
        ]
        whole = [with_code(found, text) for span in spans if (found := whole_words(text, span))]
        return outside(union(whole, text), taken)

    def _is_phi(self, text: str, span: Span, *, unsure: bool) -> bool:
        from stages.lib.phi.safeguards import is_clinical

        if span.entity in self.kept:
            return False
        if span.entity == "PERSON" and _of_stop_words(text[span.start : span.end]):
            return False
        return not unsure or not is_clinical(text, span, self.lexicon)


@functools.cache
def load_finder(ner: Path, score_threshold: float, kept: tuple[str, ...]) -> Finder:
    """Load the models below `ner` and Presidio, once per process; a forked worker inherits them."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    from stages.lib.phi import ages, dates, identifiers, links, phones
    from stages.lib.phi.lexicon import Lexicon
    from stages.lib.phi.ner import UnionOfModels, load_models

    _keep_tldextract_offline()
    models = load_models(ner)
    own = [*(kind.recognizer() for kind in (dates, ages, identifiers, links, phones))]
    own += [*names.recognizers(), *places.recognizers()]
    registry = RecognizerRegistry(recognizers=[SpacyRecognizer(), *own, *_presidio()], supported_languages=["en"])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=UnionOfModels(models), supported_languages=["en"])
    lexicon = Lexicon([model.vocab for model in models])
    return Finder(analyzer, lexicon, score_threshold=score_threshold, kept=kept)


def _presidio() -> list[EntityRecognizer]:
    """Return Presidio's own recognizers: the general ones and those of US health care, which it leaves off."""
    from presidio_analyzer import predefined_recognizers as its

    return [
        its.CreditCardRecognizer(),
        its.CryptoRecognizer(),
        its.EmailRecognizer(),
        its.IbanRecognizer(),
        its.IpRecognizer(),
        its.MacAddressRecognizer(),
        its.MedicalLicenseRecognizer(),
        its.NhsRecognizer(),
        its.PhoneRecognizer(),
        its.UrlRecognizer(),
        its.UsBankRecognizer(),
        its.UsHealthInsuranceMemberIdRecognizer(),
        its.UsItinRecognizer(),
        its.UsLicenseRecognizer(),
        its.UsMbiRecognizer(),
        its.UsNpiRecognizer(),
        its.UsPassportRecognizer(),
        its.UsSsnRecognizer(),
    ]


def _of_stop_words(name: str) -> bool:
    """Say whether what follows a title is no name: "Doctor, I", "Dr. Due to"."""
    from spacy.lang.en.stop_words import STOP_WORDS

    from stages.lib.phi.safeguards import COMMON_WORDS

    words = re.findall(r"[^\W\d_]+", name.casefold())
    return all(word in STOP_WORDS or word in TITLES or word in COMMON_WORDS for word in words)


def _span(result: RecognizerResult) -> Span:
    return Span(result.start, result.end, PLACEHOLDER_OF.get(result.entity_type, result.entity_type))


def _is_unsure(result: RecognizerResult) -> bool:
    return (result.recognition_metadata or {}).get("recognizer_name") in UNSURE


def _keep_tldextract_offline() -> None:
    """Give the e-mail recognizer the suffix list in the package: by default it downloads a new one."""
    import tldextract

    extractor = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    modules: tuple[Any, ...] = (tldextract, tldextract.tldextract)
    for module in modules:
        module.extract = extractor
    tldextract.tldextract.TLD_EXTRACTOR = extractor
