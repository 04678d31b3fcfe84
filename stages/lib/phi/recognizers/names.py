"""Names that a title or a label announces, whether or not an NER model knows them."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

PARTICLE = r"(?:(?i:van|von|der|den|de|la|le|del|della|di|da|dos|du|bin|ibn|al|el|ter|ten|zu)[ -]|['\u2019][sS][ -])"
# bounded, lest a long row of letters and hyphens takes the square of its length
WORD = r"(?:(?!I['\u2019])\p{Lu}[\p{L}\p{M}]*(?:['\u2019-]\p{L}[\p{L}\p{M}]*){0,4})"
PART = rf"(?:\p{{Lu}}\.-{WORD}|\p{{Lu}}\.(?: ?-?\p{{Lu}}\.){{0,4}}|(?:{PARTICLE}){{0,2}}{WORD})"
NAME = rf"{PART}(?: {PART}){{0,3}}"
LAST_FIRST = rf"(?:{PARTICLE}){{0,2}}{WORD}(?:[ -]{WORD})? ?, {PART}(?: {PART})?"
TITLE = (
    r"\b(?:(?i:dr|mr|mrs|ms|miss|prof|professor|doctor|nurse|rev|reverend|capt|captain|sgt|lt|"
    r"hon|mx|sr|sra|srta|herr|frau|mme|mlle|monsieur|madame|dra|dott|dottore|dottoressa|prof\.ssa|dott\.ssa|dr\.ssa|"
    r"docteur|doktor|doña|mgr|fr|hr)\b\.?|(?i:sir|lady|sister|officer|judge)\b|"
    r"(?:M[Dd]|RN|NP|PA)[.:])(?:,? (?i:med|dent|univ|phil|rer|nat|h|c|dr|prof|habil|vet)\b\.?)*"
)
# a job before a name is no title where a clinical word follows: "Doctor Discussed"
LABEL = (
    r"\b(?i:(?:patient|pt|first|last|full|family|given|maiden|middle|mother['\u2019]?s|father['\u2019]?s|spouse|"
    r"guardian|"
    r"contact|provider|physician)?(?:['\u2019]s)? ?names?(?: is| was)?|named|called|attending(?: physician)?|"
    r"referring (?:physician|doctor|provider)|pcp|physician|surgeon|provider|cardiologist|neurologist|oncologist|"
    r"next of kin|nok|re(?!-)|regarding|emergency contact|signed(?: by)?|dictated by|reviewed by|seen by|cc|patient|pt|"
    r"client|insured|guarantor|witness|dear|concerning|carer|caller|parent|copy|(?:completed|entered|written|prepared|"
    r"checked|witnessed|requested|performed|interviewed|accompanied) by|summary|author)(?!\w)"
)
QUOTE = r"[\"'\u2018\u201c]?"
RELATION = (
    r"(?:mother|father|mum|mom|dad|brother|sister|son|daughter|wife|husband|partner|aunt|uncle|cousin|friend|niece|"
    r"nephew|neighbou?r|carer|colleague|boss|boyfriend|girlfriend|fiancée?|twin|roommate|landlord|caregiver|guardian|"
    r"parents?|spouse|grand(?:mother|father|son|daughter)|step(?:mother|father|son|daughter))"
)
ROLE = (
    r"(?i:team|ward|clinic|nurses?|nursing|medical|surgical|day|night|patient|family|staff|department|unit|gp|office)"
)
FORMATS = {
    "below a greeting": rf"\b(?i:regards|sincerely|faithfully|thanks|thank you|yours),?\s{{1,3}}\K{NAME}",
    "after a title": rf"{TITLE} ?{NAME}",
    "after a label": rf"{LABEL}(?::| is|,)? ?[:\-\u2013]? ?\K(?:{LAST_FIRST}|{PART} {NAME})",
    # "patient: CT angiography" is no name, "Patient: LEE, 45" is
    "after a label and a colon": rf"{LABEL} ?: ?\K(?!\p{{Lu}}{{2,4}} (?!is|was|has|"
    rf"had)\p{{Ll}})(?:{LAST_FIRST}|{NAME})",
    "named": rf"\b(?i:named|called|(?:calls?|call) (?:me|him|her|us|them)|known as|goes by|"
    rf"(?:my|his|her|their|whose|patient|your|first|last|family|maiden) name is|name['\u2019]s|name of|i am|"
    rf"i['\u2019]m)"
    rf" {QUOTE}\K{NAME}",
    "someone of": rf"\b(?i:{RELATION}) of (?:patient )?\K{NAME}",
    "name in lower case": r"\b(?i:(?:my|his|her|their|whose|patient|maiden|first|last|full) name is) \K"
    r"\p{Ll}[\p{L}'\u2019-]+",
    "field of a name": r"\b(?i:(?:patient|pt|full|legal|first|last|given|family|maiden)?(?:['\u2019]s)? ?"
    r"names?) ?[:=]\s{0,3}\K"
    r"[^\W\d_][\p{L}\p{M}'\u2019.-]*(?:,? [^\W\d_][\p{L}\p{M}'\u2019.-]*){0,3}(?=[^\S\n]*(?:$|[\n;,(|]|\d))",
    "initial and name": rf"\b(?i:to|by|with|from|per|d/w|cc|copy|and|for|of):? "
    rf"\K(?:\p{{Lu}}\.? ?){{1,2}} {WORD}(?=[,.;)\n]|$)",
    "initial in lower case": r"\b(?:(?:[Dd]r|[Pp]rof|[Mm]rs?|[Mm]s|[Dd]r\. [Mm]ed)\.|Dr|Prof|Mrs?|Ms) "
    r"\p{Ll}\.? \p{Ll}[\p{L}'\u2019-]{2,}",
    "after a signature": rf"\b(?i:signed|dictated|typed|transcribed)(?i: by)?[,:] \K{NAME}",
    "after a relation": rf"\b(?i:my|our|his|her|their) (?:\p{{Ll}}+ )?(?i:{RELATION}),? \K{NAME}",
    "taken over": rf"\b(?i:(?:handed|handing|turned) over|hand-?over|h/o|copy|copied|cc|signed out) (?:to|from) \K"
    rf"(?!\p{{Lu}}+\b|\p{{L}}+(?:ology|ologist|atrics|ician|surgery)\b|{ROLE}\b){NAME}(?! {ROLE})",
    "before an age in brackets": rf"\b{NAME}(?= \(\d{{1,3}} ?(?i:yo|y/o|yrs?|y|years?)\b)",
    "addressed": rf"(?m:^)(?:To|From|Attn|Cc): ?\K{NAME}",
    "before a number": rf"\b(?:{LAST_FIRST}|{PART} {NAME})(?=[,.]? \(?(?i:mrn|(?:pt|patient) id|record (?:#|no|number)|"
    r"hosp(?:ital)?\.? (?:#|no|number)|d\.?o\.?b|born|ssn|nhs|npi)(?!\w))",
    "before an age": rf"\b{LAST_FIRST}(?=,? \d{{1,3}} ?(?i:yo|y/o|yrs?|y|mo|m/o|years?)\b)",
    "last line": rf"(?:[.!?]\s{{1,3}}|\n)\K{NAME}(?=\s*\Z)",
    "before a degree": rf"\b{NAME}"
    r"(?=,? (?:M\.?D\.?|D\.?O\.?|Ph\.?D\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?-?C?|FACS|FACP|MBBS|DDS|LPN)(?!\w))",
    "first name and initial": r"\b\p{Lu}[\p{Ll}\p{M}]+ \p{Lu}\.(?=[,;)]| (?:\p{Ll}|\())",
}


class AnnouncedNameRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find names behind a title or a label, or before a degree."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("PERSON", name, supported_language, patterns(FORMATS))
