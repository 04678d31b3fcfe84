"""The grammar of a labelled identifier (label, number word, separator, value), and Presidio's patterns of formats."""

from __future__ import annotations

import re
from collections.abc import Mapping

from presidio_analyzer import Pattern

NUMBER_WORD = (
    r"(?i:numbers?\b|num\b\.?|nos?\b\.?|nrs?\b\.?|n[°º]|#|ids?\b|i\.d\.|identifiers?\b|identification\b|codes?\b|"
    r"serial\b|s/n\b|sn\b|ref(?:erence)?\b\.?)"
)
QUALIFIER = (
    r"(?i:(?:[ -](?:record|plan|beneficiary|policy|plate|card|account|member(?:ship)?|group|patient|subscriber|"
    r"registration|licen[cs]e|certificate|identification|unique|serial|model|tracking))*)"
)
SEPARATOR = r"(?:\s{0,2}(?:[:=|\u2013\u2014-]|\.{2,}|(?i:is|was|are|reads?|ending(?: in)?)\b|\((?=\w))\s{0,3})"
UNIT = r"(?i:mg|mcg|g|kg|ml|l|mmhg|bpm|units?|cm|mm|hz|years?|yrs?|days?|weeks?|months?|hours?|min(?:utes)?|x)"
# at least two digits, and no count, ratio or measurement: 120/80, 3.5x18, 100 mg
VALUE = (
    r"\K#?(?:[A-Z]{1,4} (?=\d))?(?=[\w/-]*\d[\w/-]*\d)(?!\d{1,3}[ -]?(?i:years?|yrs?|y|months?|weeks?|days?|hours?)\b)"
    r"(?!\d{1,3}(?:[/.x]\d{1,3})?(?![\w/-]| \d{3}))[A-Za-z0-9](?:[\w/-]|\.(?=\w)){2,}"
    rf"(?!\w|%| ?{UNIT}\b)(?:[ -]{{1,2}}\d{{2,}}(?![\w/%])|-\d(?![\w/%.])| [A-Z0-9]{{2,4}}\d(?!\w))*"
)
# what nobody takes for a measurement: six characters or more, at least four digits
CODE = (
    r"\K(?!(?:19|20)\d\d[-/](?:19|20)?\d\d|\d{1,3}[/x]\d{1,3}(?![\w/-]))(?:(?=(?:[\w/-]*?\d){4})(?=[\w/-]{6})"
    r"[A-Za-z0-9]+(?:[/-][A-Za-z0-9]+)*|[A-Za-z]{0,2}\d{3,5}(?: \d{3,5}){1,3})"
    rf"(?:[ -]{{1,2}}\d{{3,}}){{0,2}}(?![\w%/]|[.,]\d| ?{UNIT}\b)"
)
BLANK = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])| ")
BLANKS = r"(?:[^\S\n]{1,3})"


def patterns(formats: Mapping[str, str], score: float = 0.95) -> list[Pattern]:
    """Return Presidio's patterns of regular expressions by name; they keep their case under any flags of a registry.

    A blank in an expression, outside of a set, stands for up to three of a line: typed twice, a tab, one that does not
    break.
    """
    return [
        Pattern(name, f"(?-ims:{BLANK.sub(lambda found: found[1] or BLANKS, regex)})", score)
        for name, regex in formats.items()
    ]


def labelled(*labels: str, acronyms: str = "", loose: str = "") -> dict[str, str]:
    """Return the formats of a value behind one of `labels`, which a number word or a separator has to follow.

    Behind one of `acronyms`, which mean nothing but an identifier, a blank is enough; `loose` labels, which mean much
    else, need a number word. All are regular expressions; case does not count in them.
    """
    label, any_label = (rf"(?<!\w)(?i:{'|'.join(found)}){QUALIFIER}" for found in (labels, [*labels, loose]))
    announced = any_label if loose else label
    formats = {
        "label and code": rf"{announced}[\s:,#(]{{1,3}}{CODE}",
        "label and number word": rf"{announced}[\s-]?(?:{NUMBER_WORD}\s?){{1,2}}{SEPARATOR}?[\s(]{{0,2}}{VALUE}",
        "label and separator": rf"{label}{SEPARATOR}{{1,2}}{VALUE}",
    }
    if acronyms:
        formats["acronym"] = rf"(?<!\w)(?i:{acronyms})(?:\s?{NUMBER_WORD})?[\s:.=|(\u2013-]{{0,3}}{SEPARATOR}?{VALUE}"
    return formats
