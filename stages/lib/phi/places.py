"""Addresses, postal codes and facilities by their grammar: number and street, town and state, name and "Hospital"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

UNSURE = "places by shape"
WORD = r"(?:\p{Lu}[\p{L}\p{M}.'\u2019-]*)"
WORDS = rf"{WORD}(?: {WORD}){{0,4}}"
STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Squares|Sq|"
    r"Terrace|Ter|Way|Parkway|Pkwy|Highway|Hwy|Trail|Trl|Crescent|Close|Row|Mews|Alley|Loop|Plaza|Turnpike|Grove|Gardens|"
    r"Hill|Park|Walk|Quay|Wharf|Broadway|Crossing|Ridge|Point|Pike|Manor|Heights|Path|Bend)\b\.?"
)
COMPOUND = r"(?i:stra(?:ß|ss)e|str\.|gasse|weg|allee|gatan|gata|vägen|veien|vej|gade|katu|kuja|tie|straat|laan|plein)"
PREFIX = (
    r"(?:Rua|Rue|Via|Viale|Calle|Avenida|Av\.|Avenue|Piazza|Plaza|Place|Boulevard|Bd|Chemin|Strada|Corso|Carrer|Largo|"
    r"Praça|Travessa|Estrada|Ulica|ulica|ul\.|Ul\.|Paseo|Camino|C/|Route|Quai|Allée|Vicolo|Contrada|Rambla|ulitsa)"
)
LINK = r"(?:(?:d[aeiou]s?|de la|du|des|della|dei|del|l['\u2019]|d['\u2019]|do|das|am|an der|im|zum) ?)"
UNIT = r"(?:(?i:apt|apartment|suite|ste|p\.? ?o\.? box|psc|box|postfach|casella postale)\.? ?#?\d+[A-Za-z]?\b)"
STATE = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|"
    r"W[AIVY]|A[AEP])"
)
FACILITY = (
    r"(?:Hospital|Hospitals|Hosp\.?|Clinic|Clinics|Medical Cent(?:er|re)|Med(?:ical|\.)? (?:Cent(?:er|re)|Ctr\.?)|"
    r"Medical Group|Health Cent(?:er|re)|"
    r"Cancer Cent(?:er|re)|Cent(?:er|re)|Infirmary|Hospice|Sanatorium|Nursing Home|Care Home|Health System|"
    r"Healthcare|Medical School|University|College|Institute|Pharmacy|Surgery|Laborator(?:y|ies)|Rehab|Memorial|"
    r"General|Presbyterian|Academy|High School|Church|Foundation)"
)
REST = rf"(?:(?:[,.\s>]{{1,6}}(?:{WORD}|{LINK})){{1,8}}[,\s>]{{1,6}}\d{{4,6}}(?:-\d{{3,4}})?\b)?"
CODE = r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}"  # of the United Kingdom
TOKEN = rf"(?:[\p{{Lu}}\d#][\w\p{{M}}.'\u2019/-]*|{LINK}|(?:al|pl|ul|os)\.|nad)"
PLACES = {
    "after a label": r"\b(?i:address)(?i: is|:)\s{1,3}\K[^\n]{4,90}?(?=\.\s+\p{Lu}\p{Ll}+ \p{Ll}|\s*\n|\.?\s*$)",
    "number and street": rf"(?<![\w.])(?:\d{{1,6}} )?\d{{1,6}}[A-Za-z]?,? (?:{WORD} ){{1,5}}{STREET}"
    rf"(?:,? {UNIT})?{REST}",
    "number and compound": rf"\b(?:\d{{1,6}} )?\p{{Lu}}\p{{L}}+{COMPOUND} ?\d+[A-Za-z]?\b|"
    rf"\b\d{{1,6}} \p{{Lu}}\p{{L}}+{COMPOUND}\b",
    "street and number": rf"\b(?:\d{{1,6}},? )?{PREFIX} {LINK}?{WORDS},? \d+[A-Za-z]?\b|"
    rf"\b\d{{1,6}},? {PREFIX} {LINK}?{WORDS}",
    "number, word, number": rf"(?<![\w.])\d{{3,6}} {WORDS} {UNIT}",
    "unit": rf"\b{UNIT}{REST}",
    "military mail": r"\b(?:APO|FPO|DPO),? A[AEP]\b(?: \d{5})?",
    "town and state": rf"\b{WORD}(?: {WORD}){{0,2}},\s*{STATE}\b(?:\s+\d{{5}}(?:-\d{{4}})?)?",
    "state and code": rf"\b{STATE},?\s+\K\d{{5}}(?:-\d{{4}})?\b",
    "postal code": r"\b(?i:zip(?: ?code)?|post(?:al)? ?code|postcode)(?: is|:)? ?\K[A-Z0-9][A-Z0-9 -]{2,9}\b",
    "lives": rf"\b(?i:lives|living|resides|residing|resident|born|raised|grew up|moved|relocated|travell?ed|visiting|"
    rf"native)(?: back)? (?:in|at|to|from|of|near|outside) (?:the )?\K{WORDS}",
}
# shapes that a list of findings has too: these pass the safeguards like what NER finds
SHAPES = {
    "line with a code": rf"(?m)^(?=[^\n]*(?:{CODE}|\d\d-\d{{3}}|\d{{5,6}})){TOKEN}(?:,? {TOKEN}){{2,11}}$",
    "number, words, number": rf"(?<![\w.,/-])\d{{1,6}} (?:\d{{1,6}} )?{WORDS} \d{{1,4}}[A-Za-z]?\b(?:,? {UNIT})?{REST}",
}
PARTNERS = {"partners": rf"\b{WORD}, {WORD} and {WORD}\b"}
FACILITIES = {
    "facility": rf"\b(?:St\.? )?{WORD}(?:(?: (?:of|and|for|the)| &)? {WORD}){{0,4}},? {FACILITY}(?! (?i:acquired))\b",
    "facility of": rf"\b(?:Hospital|University|Institute|Church|Cent(?:er|re)|Clinic|College) (?:of|for|at) {WORDS}",
}


def recognizers() -> list[PatternRecognizer]:
    """Return the recognizers of places (LOCATION) and of facilities (ORGANIZATION)."""
    from presidio_analyzer import Pattern, PatternRecognizer

    return [
        PatternRecognizer(
            entity,
            name=name,
            patterns=[Pattern(title, regex, 0.95) for title, regex in formats.items()],
            global_regex_flags=0,
        )
        for entity, name, formats in (
            ("LOCATION", "places", PLACES),
            ("LOCATION", UNSURE, SHAPES),
            ("ORGANIZATION", "facilities", FACILITIES),
            ("ORGANIZATION", UNSURE, PARTNERS),
        )
    ]
