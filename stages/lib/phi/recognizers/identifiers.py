"""Numbers of a person: what stands behind a label ("MRN: …"), and shapes that no measurement has."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import VALUE, labelled, patterns

# names of knowledge, not of people: genes, variants, publications, trials, classifications
PUBLIC = (
    r"(?:COVID|SARS|HIV|HPV|HLA|OMIM|MIM|ORPHA|PMID|PMC|NCT|ISRCTN|ENS[A-Z]|N[MPCGR]_?\d|X[MP]_?\d|ICD|ATC|LOINC|GRCH)"
)
FORMATS = labelled(
    r"(?:social security|national(?: insurance| identity)?|tax(?:payer)?|student|employee|staff|military|veteran|"
    r"prescription|pager|donor|tracking|confirmation|docket|inmate|identity)",
    loose=r"resident|citizen|case|study|trial|subject|participant|specimen|sample|biopsy|block|slide|ticket|voucher|rx|"
    r"fax|room key|blood bag|reference|file|ration|personal|research|registry|badge|locker|bed",
    acronyms=r"SSN|SS ?#|SIN|NINO?|CPF|CNP|DNI|NIE|BSN|PESEL|AHV|AVS|MRZ",
) | {
    "number is": rf"\b(?i:numbers?|no\.)(?i: is|:)? \K(?=(?:\D?\d){{4}}){VALUE}",
    "in brackets": r"\((?!(?:19|20)\d\d-(?:19|20)\d\d\))\K(?=(?:[^()]*\d){5})[A-Z]{0,3}[ -]?\d[\d -]{3,}(?=\))",
    "letter and number": r"(?<![\w:.,/-])[A-Z]\d{6,9}\b|(?<![\w:.,/-])\d{2}-\d{5,7}(?![\w%-])",
    "ID": rf"\b(?:IDs?|I\.D\.|(?i:id|identifier|identification)(?=[ ]?[:#=]))(?:[ :=(-]|is |was |number )*{VALUE}",
    "long number": rf"(?<!{PUBLIC}[ :]?)(?<![\w:.,/-])\d{{7,}}(?![\w/%]|[.,]\d)",
    "grouped number": r"(?<![\w:.,/-])\d{3,}(?:-\d{1,}){1,4}(?![\w/%]|[.,]\d)",
    "letters and digits": rf"(?<![\w:.,/-])(?!{PUBLIC})(?=[A-Z\d-]*?[A-Z])(?=(?:[A-Z-]*\d){{5}})(?=[A-Z\d-]{{7}})"
    r"[A-Z\d]+(?:-[A-Z\d]+)*(?![\w/%]|[.,]\d)",
    "prefixed number": rf"(?<![\w:.,/-])(?!{PUBLIC})[A-Z]{{1,5}}-\d{{4,}}(?:-\w+)*\b",
}


class OtherIdentifierRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find what no other recognizer names (45 CFR 164.514(b)(2)(i)(R))."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("ID", name, supported_language, patterns(FORMATS))
