"""Names by shape alone, which clinical words have too: "Brachydactyly, Hypotonia"; they must pass the safeguards."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns
from stages.lib.phi.recognizers.names import LAST_FIRST, NAME, WORD

FORMATS = {
    "initial and last name": rf"(?m:^|(?<=[:;.] ))(?:\p{{Lu}}\.? ){{1,2}}(?=\p{{L}}{{3}}){WORD}",
    "before an age and sex": rf"\b{NAME}(?=, \d{{1,3}} ?(?:yo ?|y ?|y/o ?)?[MF]\b)",
    "before a verb": rf"\b{NAME}(?= (?:(?:was|is|has been) (?:seen|admitted|reviewed|referred|discharged|assessed|"
    r"examined|transferred)|reports|complains|presents|presented|called|attended|states|denies)\b)",
    "after a relation": rf"\b(?i:mother|father|mum|mom|dad|brother|sister|son|daughter|wife|husband|partner|aunt|uncle|"
    rf"cousin|grandmother|grandfather|niece|nephew|friend|carer|neighbou?r),? \K{NAME}",
    "taken over": rf"\b(?i:handed|handover|handing|h/o|turned|signed out|d/w)(?i: over| out)? "
    rf"(?i:to|with|from) \K{NAME}",
    "last, first": rf"\b(?=\p{{L}}{{2}}){LAST_FIRST}",
    "after age and sex": rf"\b\d{{1,3}} ?(?i:yo|y/o|y\.o\.|mo|wo|do|years?[- ]old|y) ?[MF],? \K{NAME}",
}


class NameShapeRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find "Last, First" and what follows an age and a sex."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("PERSON", name, supported_language, patterns(FORMATS, score=0.8))
