"""Names and places in lower case: what a title, a label or a greeting announces, and rare words side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stages.lib.phi.lexicon import Lexicon
from stages.lib.phi.safeguards import COMMON_WORDS
from stages.lib.phi.spans import Span

WORD = r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*"
WORDS = rf"(?P<words>{WORD}\.?(?:,? {{1,2}}{WORD}\.?){{0,3}})"
TITLE = r"(?:(?:dr|mr|mrs|ms|miss|mx|prof|professor|herr|frau|mme|dra|dott)\b\.?(?: (?:med|dent|univ)\.)?)"
ANNOUNCED = {
    "PERSON": re.compile(
        rf"\b(?:(?:dear )?doctor|{TITLE}|(?:dear|hi|hello)(?: {TITLE})?|"
        rf"(?:thanks|thank you|regards|wishes|sincerely|faithfully|yours),(?:\s+{TITLE})?|"
        r"(?:signed|dictated|reviewed|seen|written|referred|completed|entered|prepared|checked|accompanied)(?: by:?|,)|"
        r"(?:named|called|calls? (?:me|him|her))|(?:my|his|her) name(?: is|['\u2019]s)|copy(?: to)?|cc|"
        r"concerning|summary(?::| for)|"
        r"(?:my|our|his|her|their) (?:brother|sister|mother|father|wife|husband|son|daughter|uncle|aunt|cousin|"
        r"partner|friend|"
        r"neighbou?r|carer)|"
        r"(?:brother|sister|mother|father|wife|husband|son|daughter|uncle|aunt|cousin|partner),|"
        r"(?:patient|pt|name|client|nok|next of kin|ref?|cc|to|from|attn|attending|consultant|contact|doctor|gp|"
        r"pcp)\s?:)"
        rf"\s{{1,3}}{WORDS}",
        re.IGNORECASE,
    ),
    "ORGANIZATION": re.compile(
        rf"\b(?:works? (?:for|at)|employed (?:by|at)|employer:?|insurance:|insurer:|company:) {WORDS}", re.IGNORECASE
    ),
    "LOCATION": re.compile(
        r"\b(?:(?:lives?|living|resid(?:es|ing)|resident|born|raised|moved|relocated|stays|based) "
        r"(?:in|at|near|of|from|to)|"
        r"(?:man|woman|boy|girl|male|female|lady|gentleman|patient|pt|child|\d (?:yo|y/o|yrs?|years?(?: old)?)\)?,?|"
        r"\d[fm]\)?,?) from) "
        rf"{WORDS}",
        re.IGNORECASE,
    ),
}
KIND = re.compile(
    r"(?<= )(?:hospital|clinic|infirmary|hospice|medical cent(?:er|re)|pharmacy|health cent(?:er|re)|surgery|"
    r"university|"
    r"inc\.|ltd\b|llc\b|gmbh\b)"
)
BEFORE_KIND = re.compile(rf"{WORD}\.?(?: {WORD}\.?){{0,4}} \Z")
BEARING = frozenset(
    [
        "st",
        "saint",
        "mt",
        "mount",
        "north",
        "south",
        "east",
        "west",
        "new",
        "port",
        "lake",
        "royal",
        "san",
        "santa",
        "de",
        "la",
        "van",
    ]
)
# "holmgren, virgilio (1933 …": a last and a first name, neither of them a word, where a name would stand
LAST_FIRST = re.compile(
    rf"(?:^|[.:;]\s+|\n\s*|\b(?:for|re|of) )(?P<words>{WORD}, {WORD}(?: \w\b\.?)?)(?=\s*(?:[(;,]|\n|$))"
)
ADDRESS = re.compile(
    rf"(?<![\w.,/-])\d{{1,4}}(?:[/-]\d{{1,4}})?[a-z]?(?: |,\s?|\n){WORDS}(?:,? |-|,?\n)\d{{5,6}}(?![\w%]|[.,/-]\d)|"
    rf"(?<![\w.-])(?P<street>(?:{WORD}\.? ){{1,4}})\d{{1,4}}[a-z]?(?:[/-]\d{{1,4}})?(?:,\s?|\n)"
    rf"(?:\d{{4,6}}|\d\d-\d{{3}}|\d{{3}} \d\d)\s(?P<town>{WORD}(?: {WORD}){{0,3}})"
)
BEFORE = re.compile(
    rf"(?:^|[.:;]\s+|\n)(?P<words>(?:{WORD}\.?,? ){{0,2}}{WORD})(?=,? \(?\d{{1,3}} ?(?:yo|y/o|yrs?|y|years?|[MFmf])\b|"
    r" (?:was|is|has been) (?:seen|admitted|reviewed|referred|discharged|assessed|transferred)| (?:called|reports|"
    r"complains|presents|attended)\b)"
)
KNOWN_LAST = re.compile(r" (?P<word>[a-zà-ž]{3,})(?=[^\S\n]*(?:[,;(.?!]|\n|$))")
IDENTIFIED = re.compile(
    rf"(?<![\w.'\u2019-])(?P<words>{WORD},? (?:\w\b\.? )?{WORD}|\w\b\.? {WORD})"
    r"(?=[,.]? \(?(?:mrn|ssn|d\.?o\.?b|npi|nhs|"
    r"hosp(?:ital)?\.? (?:no|number|#)|\d{1,3} ?(?:yo|y/o|yrs?|years?|[mf])\b|[a-z]{0,2}\d{4,} ?\d*\)))",
    re.IGNORECASE,
)
SIGNATURE = re.compile(rf"(?:[.!?]\s{{1,3}}|\n)(?P<words>(?:\w\b\.? )?(?P<word>{WORD}))\s*\Z")
PAIR = re.compile(rf"(?<![\w'\u2019.-])(?={WORD}(?: {{1,2}}\w\b\.?)? {{1,2}}({WORD}))({WORD})")
LETTERS = 3  # of a word that could be a name by its rarity
VOWEL = re.compile(r"[aeiouyà-ÿ]")


def lowercase(text: str, lexicon: Lexicon) -> list[Span]:
    """Return the words of `text` in lower case that no vocabulary knows and that stand where names do."""
    announced = (
        _announced(match, lexicon, entity) for entity, pattern in ANNOUNCED.items() for match in pattern.finditer(text)
    )
    facilities = (_facility(match, lexicon) for match in KIND.finditer(text))
    addresses = (
        Span(*match.span(), "LOCATION")
        for match in ADDRESS.finditer(text)
        if any(is_rare(word, lexicon) for word in re.findall(WORD, match["words"] or match["street"] + match["town"]))
    )
    return [*filter(None, announced), *filter(None, facilities), *addresses, *_names(text, lexicon)]


def is_rare(word: str, lexicon: Lexicon) -> bool:
    """Say whether no vocabulary has `word`, which is in lower case, or only as a name."""
    return (
        len(word) >= LETTERS
        and word.islower()
        and word not in COMMON_WORDS
        and VOWEL.search(word) is not None
        and any(len(part) >= LETTERS and not lexicon.is_known(part) for part in re.split(r"['\u2019-]", word))
    )


def _names(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Yield last and first names, and two rare words side by side, an initial between them or none."""
    for match in BEFORE.finditer(text):
        words = re.findall(WORD, match["words"])
        if any(is_rare(word, lexicon) for word in words) and match["words"].islower():
            yield Span(*match.span("words"), "PERSON")
    for match in IDENTIFIED.finditer(text):
        if match["words"].islower() and any(
            is_rare(word, lexicon) or (len(word) >= LETTERS and word not in COMMON_WORDS and lexicon.is_name(word))
            for word in re.findall(WORD, match["words"])
        ):
            yield Span(*match.span("words"), "PERSON")
    for match in LAST_FIRST.finditer(text):
        words = re.findall(WORD, match["words"])
        if all(word.islower() and (len(word) == 1 or is_rare(word, lexicon)) for word in words):
            yield Span(*match.span("words"), "PERSON")
    if (last := SIGNATURE.search(text)) and is_rare(last["word"], lexicon):
        yield Span(*last.span("words"), "PERSON")
    for match in PAIR.finditer(text):
        if is_rare(match[2], lexicon) and is_rare(match[1], lexicon):
            yield Span(match.start(), match.end(1), "PERSON")


def _facility(kind: re.Match[str], lexicon: Lexicon) -> Span | None:
    """Return a facility from the first rare word before its kind."""
    before = BEFORE_KIND.search(kind.string, max(0, kind.start() - 80), kind.start())
    words = list(re.finditer(WORD, before.group())) if before else []
    rare = next((place for place, word in enumerate(words) if is_rare(word.group(), lexicon)), None)
    if before is None or rare is None:
        return None
    first = next((place for place in range(rare, 0, -1) if words[place - 1].group() not in BEARING), 0)
    return Span(before.start() + words[first].start(), kind.end(), "ORGANIZATION")


def _announced(match: re.Match[str], lexicon: Lexicon, entity: str) -> Span | None:
    """Return the words of `match` up to the last rare one; an initial or one known word may stand among them."""
    start = match.start("words")
    end, allowed = start, 1
    for word in re.finditer(WORD, match["words"]):
        found = word.group()
        if not found.islower():
            break
        if is_rare(found, lexicon):
            end = start + word.end()
        elif len(found) > 1 and (found in COMMON_WORDS or (allowed := allowed - 1) < 0):
            break
    rest = KNOWN_LAST.match(match.string, end)
    if (
        end > start
        and rest
        and entity == "PERSON"
        and rest["word"] not in COMMON_WORDS
        and not any(stem in lexicon.english.others for stem in lexicon.stems(rest["word"]))
    ):
        end = rest.end("word")
    return Span(start, end, entity) if end > start else None
