"""Names by shape alone, which clinical words have too: "Brachydactyly, Hypotonia"; they must pass the safeguards."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.names import LAST_FIRST, NAME, PART, RELATION, ROLE, WORD

FORMATS = {
    "initial and last name": rf"(?m:^|(?<=[:;.] ))(?:\p{{Lu}}\.? ){{1,2}}(?=\p{{L}}{{3}}){WORD}",
    "before an age and sex": rf"\b{NAME}(?=, \d{{1,3}} ?(?:yo ?|y ?|y/o ?)?[MF]\b)",
    "before a verb": rf"\b{NAME}(?= (?:(?:was|is|has been) (?:seen|admitted|reviewed|referred|discharged|assessed|"
    r"examined|transferred)|reports|complains|presents|presented|called|attended|states|denies)\b)",
    "after a relation": rf"\b(?i:{RELATION}),? \K{NAME}",
    "answer": rf"\b(?i:name)\?\s{{1,3}}(?:[-\u2013\u2014>] ?|\p{{L}}{{1,12}}: )?"
    rf"(?:(?i:it['\u2019]s|it is|that['\u2019]s|that is) )?\K{NAME}",
    "asked for": rf"\b(?i:ask(?:ed)? for|(?:speak|talk|spoke|talked|speaking|talking) (?:to|with)) \K"
    rf"(?!\p{{Lu}}+\b|\p{{L}}+(?:ology|ologist|atrics|ician|surgery)\b|{ROLE}\b){NAME}(?=[,.?!;]| (?:please|"
    rf"about|at|from|in|on|yesterday|today)\b)",
    "summary of": rf"\b(?i:summary|letter|report|referral|note|record|results?) (?i:for|on|of)(?i: patient)? "
    rf"\K(?:{LAST_FIRST}|{PART} {NAME})(?= ?(?:\(|,? \d|\n))",
    "taken over": rf"\b(?i:handed|handover|handing|h/o|turned|signed out|d/w)(?i: over| out)? "
    rf"(?i:to|with|from) \K{NAME}",
    "presented": rf"\b(?i:it['\u2019]s|this is|here is|i am|it is) \K{PART} {NAME}(?=[.,!]| (?:speaking|here|"
    rf"calling|from)\b)",
    "last, first": rf"\b(?=\p{{L}}{{2}}){LAST_FIRST}",
    "after age and sex": rf"\b\d{{1,3}} ?(?i:yo|y/o|y\.o\.|mo|wo|do|years?[- ]old|y) ?[MF],? \K{NAME}",
}


class NameShapeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find "Last, First" and what follows an age and a sex."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("PERSON", name, supported_language, patterns(FORMATS, score=0.8))
