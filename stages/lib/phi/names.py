"""Names that a title or a label announces, whether or not an NER model knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

TITLES = frozenset(
    ["dr", "mr", "mrs", "ms", "miss", "mx", "prof", "professor", "doctor", "nurse", "rev", "capt", "sgt"]
)
UNSURE = "names by shape"
PARTICLE = r"(?:(?i:van|von|der|den|de|la|le|del|della|di|da|dos|du|bin|ibn|al|el|ter|ten|zu)[ -])"
WORD = r"(?:\p{Lu}[\p{L}\p{M}]*(?:['\u2019-]\p{L}[\p{L}\p{M}]*)*)"
PART = rf"(?:\p{{Lu}}\.(?:-?\p{{Lu}}\.)*|(?:{PARTICLE}){{0,2}}{WORD})"
NAME = rf"{PART}(?: {PART}){{0,3}}"
LAST_FIRST = rf"{WORD}(?:[ -]{WORD})?, {PART}(?: {PART})?"
TITLE = (
    r"\b(?:(?i:dr|mr|mrs|ms|miss|prof|professor|doctor|nurse|rev|reverend|capt|captain|sgt|lt|"
    r"hon|mx|sr|sra|srta|herr|frau|mme|mlle|monsieur|madame)\b\.?|(?:M[Dd]|RN|NP|PA)[.:])"
)
# a job before a name is no title where a clinical word follows: "Doctor Discussed"
LABEL = (
    r"\b(?i:(?:patient|pt|first|last|full|family|given|maiden|middle|mother['\u2019]?s|father['\u2019]?s|spouse|guardian|"
    r"contact|provider|physician)?(?:['\u2019]s)? ?names?(?: is| was)?|named|called|attending(?: physician)?|"
    r"referring (?:physician|doctor|provider)|pcp|physician|surgeon|provider|cardiologist|neurologist|oncologist|"
    r"next of kin|nok|re|regarding|emergency contact|signed(?: by)?|dictated by|reviewed by|seen by|cc|patient|pt|"
    r"client|insured|guarantor|witness|dear)"
)
# shapes that clinical words have too: "Brachydactyly, Hypotonia"; these pass the safeguards like what NER finds
SHAPES = {
    "last, first": rf"\b(?=\p{{L}}{{2}}){LAST_FIRST}",
    "after age and sex": rf"\b\d{{1,3}} ?(?i:yo|y/o|y\.o\.|mo|wo|do|years?[- ]old|y) ?[MF],? \K{NAME}",
}
FORMATS = {
    "below a greeting": rf"\b(?i:regards|sincerely|faithfully|thanks|thank you|yours),?\s{{1,3}}\K{NAME}",
    "after a title": rf"{TITLE} ?{NAME}",
    "after a label": rf"{LABEL}(?::| is|,)? ?[:\-\u2013]? ?\K(?:{LAST_FIRST}|{PART} {NAME})",
    "after a label and a colon": rf"{LABEL} ?: ?\K{NAME}",
    "named": rf"\b(?i:named|called|(?:my|his|her|their|whose|patient) name is|name['\u2019]s|i am|i['\u2019]m)"
    rf" \K{NAME}",
    "name in lower case": r"\b(?i:(?:my|his|her|their|whose|patient|maiden|first|last|full) name is) \K"
    r"\p{Ll}[\p{L}'\u2019-]+",
    "before a degree": rf"\b{NAME}"
    r"(?=,? (?:M\.?D\.?|D\.?O\.?|Ph\.?D\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?-?C?|FACS|FACP|MBBS|DDS|LPN)(?!\w))",
    "first name and initial": r"\b\p{Lu}[\p{Ll}\p{M}]+ \p{Lu}\.(?=[,;)]| (?:\p{Ll}|\())",
}


def recognizers() -> list[PatternRecognizer]:
    """Return the recognizers of names that are announced, and of names by their shape alone; both need capitals."""
    from presidio_analyzer import Pattern, PatternRecognizer

    return [
        PatternRecognizer(
            "PERSON",
            name=name,
            patterns=[Pattern(title, regex, score) for title, regex in formats.items()],
            global_regex_flags=0,
        )
        for name, formats, score in (("announced names", FORMATS, 0.95), (UNSURE, SHAPES, 0.8))
    ]
