"""Numbers of a person: what stands behind a label ("MRN: …"), and shapes that no measurement has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

VALUE = r"#?(?=[\w/-]*\d[\w/-]*\d)[A-Za-z0-9](?:[\w/-]|\.(?=\w)){2,}(?: \d{2,}(?![\w/%]))*"
# a label that names nothing but an identifier
STRONG = (
    r"\b(?i:MRNs?|MR ?#|medical record|health record|hospital|patient|social security|SSN|"
    r"SS#|NPI|DEA|passport|driver['\u2019]?s?'? licen[cs]e|(?:medical )?licen[cs]e|licen[cs]e plate|plate|VIN|"
    r"IMEI|UDI|IBAN|routing|account|acct|a/c|credit card|policy|member(?:ship)?|subscriber|beneficiary|insurance|"
    r"health plan|medicare|medicaid|NHS|badge|accession|encounter|serial|certificate|registration|fax|pager|tax|"
    r"claim|authori[sz]ation|referral|prescription|voucher|device|pacemaker|implant|record|chart|student|employee|"
    r"staff|visit|case|specimen|sample|biopsy|order|invoice|ticket|room key|national|identification)"
)
LABEL = r"(?: (?:record|plan|beneficiary|policy|plate|card|account|member|group|id))*"
NUMBER_WORD = r"(?i:numbers?|num\b|nos?\b\.?|nr\b\.?|#|ids?\b|identifiers?|code|serial|SN\b)"
FORMATS = {
    "label and number word": rf"{STRONG}(?i:{LABEL})[ -]?{NUMBER_WORD}(?:[ :=(]|is |was |\bof )*\K{VALUE}",
    "label and colon": rf"{STRONG}(?i:{LABEL}) ?[:=#] ?\K{VALUE}",
    "number is": rf"\b(?i:numbers?|no\.)(?i: is|:)? \K(?=(?:\D?\d){{4}}){VALUE}",
    "in brackets": r"\((?!(?:19|20)\d\d-(?:19|20)\d\d\))\K(?=(?:[^()]*\d){5})[A-Z]{0,3}[ -]?\d[\d -]{3,}(?=\))",
    "letter and number": r"(?<![\w:.,/-])[A-Z]\d{6,9}\b|(?<![\w:.,/-])\d{2}-\d{5,7}(?![\w%-])",
    "MRN": rf"\b(?i:MRN|SSN|NPI|DEA|VIN|IMEI|UDI|HICN|MBI)\b(?:[ :=(-]|is |was |of )*\K{VALUE}",
    "ID": rf"\b(?:IDs?|I\.D\.|(?i:id|identifier|identification)(?=[ ]?[:#=]))(?:[ :=(-]|is |was |number )*\K{VALUE}",
    "long number": r"(?<![\w:.,/-])\d{7,}(?![\w/%]|[.,]\d)",
    "grouped number": r"(?<![\w:.,/-])\d{3,}(?:-\d{2,}){1,4}(?![\w/%]|[.,]\d)",
    "prefixed number": r"(?<![\w:.,/-])(?!COVID|HIV|IL|CD|HLA|OMIM|ORPHA|PMID)[A-Z]{1,5}-\d{4,}(?:-\w+)*\b",
    "photograph": r"\b(?:IMG|DSC|DSCN|DCIM|PXL|PHOTO|SCAN)[_-]?\d{3,}[\w-]*(?:\.\w{3,4})?\b",
    "vehicle": r"\b(?=[A-HJ-NPR-Z0-9]*\d)(?=[A-HJ-NPR-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}\b",
}


def recognizer() -> PatternRecognizer:
    """Return the recognizer of record, plan, account, licence, vehicle, device and photograph identifiers."""
    from presidio_analyzer import Pattern, PatternRecognizer

    patterns = [Pattern(name, regex, 0.95) for name, regex in FORMATS.items()]
    return PatternRecognizer("ID", name="identifiers", patterns=patterns, global_regex_flags=0)
