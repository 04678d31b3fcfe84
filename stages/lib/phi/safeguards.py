"""What NER takes for a name and medicine does not: eponyms, scores, drugs, abbreviations, clinical words."""

from __future__ import annotations

import re
from itertools import pairwise, product

from stages.lib.phi.eponyms import is_eponym
from stages.lib.phi.knowledge import KNOWN, MEASURED, REGIONS, SPECIES, is_authority, is_beside_a_drug, is_race
from stages.lib.phi.lexicon import Lexicon
from stages.lib.phi.spans import TITLES, Span

SENTENCE_START = re.compile(r"(?:^|[.!?:]\s+|\n\s*)$")
# "M. Young" is a name: a single letter ends no sentence
NEW_SENTENCE = re.compile(r"(?:(?<!\b\w)[.!?:]\s+|\n\s*)$")
TITLED = re.compile(r"\b(?:dr|mr|mrs|ms|miss|prof|doctor|nurse|named|called)\.? ?$", re.IGNORECASE)
ANY_TITLE = re.compile(r"\b(?:dr|mr|mrs|ms|miss|prof|doctor|nurse|named|called)\b", re.IGNORECASE)
PLACED = re.compile(r"(?:\b(?:at|by|from|our)|@)(?: the)? $", re.IGNORECASE)
ANY_PLACE = re.compile(r"(?:\b(?:at|by|from|our)|@)(?: the)? [A-Z]", re.IGNORECASE)
DRUG_BEFORE = re.compile(
    r"\b(?:using|taking|takes|started on|starting|prescribing|tolerating|stopping|holding|restarting|(?:dose|doses|use|"
    r"effects|mg|mcg|trial|course|benefits|risks) of|(?:checker|dosing|guidelines?) for|allergic to|"
    r"allergy to|switch(?:ed|ing)? to|vs\.?|versus) $",
    re.IGNORECASE,
)
DRUG_AFTER = re.compile(
    r" (?:\(|\d+(?:\.\d+)? ?(?:mg|mcg|g|ml|units?|iu)\b|tablets?|capsules?|injections?|inhaler|dosing|doses?|"
    r"infusions?|therapy|treatment|monotherapy|toxicity|levels?|cream|ointment|drops)\b",
    re.IGNORECASE,
)
# parts of a hospital and of a record, which NER takes for organisations
COMMON = (
    "patient patients doctor hospital clinic emergency department room unit ward icu nicu picu ed er or opd pacu ems "
    "history exam examination assessment plan impression findings medications allergies mother father brother sister "
    "son daughter wife husband family male female man woman boy girl child infant yes no unknown none normal negative "
    "positive left right upper lower type stage grade phase day week month year type class she he they his her their "
    "the a an of and in on for with to from hpi pmh ros bp hr rr temp labs vitals abdomen chest head neck skin eyes "
    "ears nose throat back please note thanks thank hello hi hey dear "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december sir madam ma'am rec acct "
    "adm hosp abdo snt fam imms utd background ref'd ref ins physio photo photos ip id dea npi prof comfortable "
    "parking admitted discharged awaiting obs hx fhx pmhx shx tel fax re nok arr tx rx dx sx pt dad mom mum i've i'm "
    "i'll i'd it's also hgb hct plt wbc rbc rh latina latino latinas latinos latinx"
)
COMMON_WORDS = frozenset(COMMON.split())
PLURAL = re.compile(r"(?:['\u2019]s?|(?<=\w{4})s)$")
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def is_clinical(text: str, span: Span, lexicon: Lexicon) -> bool:
    """Say whether the `span` that an NER model or a shape found in `text` means something clinical and stays."""
    found, before, after = (
        text[span.start : span.end],
        text[max(0, span.start - 40) : span.start],
        text[span.end : span.end + 60],
    )
    if TITLED.search(before):
        return False
    words = WORD.findall(found)
    if (
        is_eponym(found, before=before, after=after, lexicon=lexicon)
        or REGIONS.match(found)
        or is_race(found, after)
        or (len(words) < 4 and MEASURED.match(text, span.start, span.end + 12))
        or is_authority(found, before=before, after=after)
        or (len(words) == 1 and (_is_genus(after, lexicon) or is_beside_a_drug(before, after)))
        or (len(words) < 4 and any(map(_holds_measure, words)))
        or (len(words) == 1 and span.entity == "PERSON" and (DRUG_BEFORE.search(before) or DRUG_AFTER.match(after)))
        or _in_ontology(words, before, after, lexicon)
    ):
        return True
    if not any(word[0].isupper() for word in words):
        return span.entity != "PERSON" or not all(map(lexicon.is_name, words))
    placed, located = PLACED.search(before) is not None, span.entity == "LOCATION"
    if SENTENCE_START.search(before) and lexicon.is_common(words[0]):
        words = words[1:]
    return all(stays(word, placed=placed, located=located, lexicon=lexicon) for word in words)


def may_hold_phi(text: str, lexicon: Lexicon) -> bool:
    """Say whether any span of `text` could pass `is_clinical`; where none could, NER need not run.

    A common word that starts a sentence could not: no name goes on from one sentence to the next.
    """
    placed = ANY_PLACE.search(text) is not None
    return ANY_TITLE.search(text) is not None or not all(
        stays(word.group(), placed=placed, located=True, lexicon=lexicon)
        or (NEW_SENTENCE.search(text, max(0, word.start() - 24), word.start()) and lexicon.is_common(word.group()))
        for word in WORD.finditer(text)
    )


def stays(word: str, *, placed: bool, located: bool, lexicon: Lexicon) -> bool:
    """Say whether `word` is no part of a name.

    Short capitals are an abbreviation, but behind "at", "from" and the like (`placed`), or where there are more than
    four and NER takes them for a place (`located`).
    """
    if word.lower().replace("\u2019", "'") in COMMON_WORDS or word.lower() in KNOWN:
        return True
    parts = [part for part in re.split(r"['\u2019-]", word) if len(part) > 1] or [word]
    return all(
        part.lower() in COMMON_WORDS
        or not part[0].isalpha()
        or len(part) == 1
        or (part[0].islower() and (not lexicon.is_name(part) or part in lexicon.ontology.words))
        or (sum(map(str.isupper, part)) > 1 and len(part) <= (0 if placed else 4 if located else 6))
        or lexicon.is_clinical(part)
        for part in parts
    )


def is_no_name(text: str) -> bool:
    """Say whether what a title announces is no name: "Doctor, I", "Dr. Due to"."""
    from spacy.lang.en.stop_words import STOP_WORDS

    words = re.findall(r"[^\W\d_]+", text.casefold())
    return all(word in STOP_WORDS or word in TITLES or word in COMMON_WORDS for word in words)


def _in_ontology(words: list[str], before: str, after: str, lexicon: Lexicon) -> bool:
    """Say whether the ontology has the names among `words` beside their neighbours here: Lisch nodules."""
    context = [*(WORD.findall(before)[-1:] or [""]), *words, *(WORD.findall(after)[:1] or [""])]
    met = [_are_neighbours(first, second, lexicon) for first, second in pairwise(context)]
    near = [left or right for left, right in pairwise(met)]
    return any(near) and all(
        known or stays(word, placed=True, located=True, lexicon=lexicon)
        for known, word in zip(near, words, strict=True)
    )


def _is_genus(after: str, lexicon: Lexicon) -> bool:
    """Say whether a species follows that is no English word: Clostridioides difficile."""
    found = SPECIES.match(after)
    return found is not None and not any(
        stem in lexicon.english.nouns or stem in lexicon.english.others for stem in lexicon.stems(found["species"])
    )


def _are_neighbours(first: str, second: str, lexicon: Lexicon) -> bool:
    """Say whether two words stand side by side in the ontology, whatever their number and case."""
    forms = [(word.lower(), PLURAL.sub("", word.lower())) for word in (first, second)]
    return not lexicon.ontology.pairs.isdisjoint(product(*forms))


def _holds_measure(word: str) -> bool:
    """Say whether a word mixes letters and digits: SpO2, L4, CHADS2, 45-year-old."""
    return any(character.isdigit() for character in word) and any(character.isalpha() for character in word)
