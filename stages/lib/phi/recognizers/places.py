"""Addresses, postal codes and facilities by their grammar: number and street, town and state, name and "Hospital"."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

WORD = r"(?:\p{Lu}[\p{L}\p{M}.'\u2019-]*)"
WORDS = rf"{WORD}(?: {WORD}){{0,4}}"
STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Squares|Sq|"
    r"Terrace|Ter|Way|Parkway|Pkwy|Highway|Hwy|Trail|Trl|Crescent|Close|Row|Mews|Alley|Loop|Plaza|Turnpike|Grove|"
    r"Gardens|Hill|Park|Walk|Quay|Wharf|Broadway|Crossing|Ridge|Point|Pike|Manor|Heights|Path|Bend)\b\.?"
)
COMPOUND = (
    r"(?i:stra(?:ß|ss)e|str\.|gasse|weg|allee|gatan|gata|gränd|stigen|torget|vägen|veien|vej|gade|katu|kuja|tie|"
    r"polku|straat|laan|plein|kade|gracht|platz|ring|damm|ufer|steig|stræti|vegur|brekka|braut|plads|stien|stræde|steeg|ulica|utca)"
)
PREFIX = (
    r"(?:Rua|[Rr]ue|[Vv]ia|[Vv]iale|[Cc]alle|[Aa]venida|Av\.|[Aa]venue|Piazza|Plaza|Place|Boulevard|Bd|Chemin|Strada|"
    r"Corso|Carrer|Largo|Praça|Travessa|Estrada|Ulica|ulica|ul\.|Ul\.|Paseo|Camino|C/|Route|Quai|Allée|Vicolo|Contrada|Rambla|ulitsa|"
    r"[Aa]leja|[Aa]l\.|[Pp]lac|[Pp]l\.|[Oo]siedle|[Oo]s\.|[Bb]oulevard|[Bb]d\.?|[Cc]hemin|[Aa]llée|[Ii]mpasse|"
    r"[Qq]uai|[Pp]laza|[Pp]asaje|[Rr]onda|[Cc]arretera|[Cc]amino|[Pp]aseo|[Gg]lorieta|[Rr]ampa|"
    r"[Vv]icolo|[Pp]iazza|[Pp]iazzale|[Cc]orso|[Ll]argo|[Vv]iale|[Cc]ontrada|[Ss]tretto|[Cc]anale|[Bb]orgo|[Rr]otonda|[Ii]ncrocio)"
)
LINK = r"(?:(?:d[aeiou]s?|de la|la|du|des|della|dei|del|l['\u2019]|d['\u2019]|do|das|am|an der|im|zum) ?)"
UNIT = (
    r"(?:(?i:apt|apartment|suite|ste|p\.? ?o\.? box|psc|box|postfach|casella postale|flat|floor|bldg|building|"
    r"(?:unit|psc|cmr) \d{1,5},? box)\.? ?#?\d+[A-Za-z]?\b)"
)
# streets whose kind is a word of its own, behind the name: "Kossuth Lajos utca 12."
KIND = (
    r"(?:utca|u\.|út|útja|tér|tere|köz|körút|krt\.|rakpart|rkp\.|sétány|sor|fasor|terrasse|tee|pst|puiestee|mnt|"
    r"ulica|cesta|trg|nábřeží|náměstí|nám\.|katu|tie|väg|gata|vei|vej|allé|plads|Str\.|St\.)(?!\p{L})"
)
STATE = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|"
    r"W[AIVY]|A[AEP])"
)
REST = rf"(?:(?:[,.\s>]{{1,6}}(?:{WORD}|{LINK})){{1,8}}[,\s>]{{1,6}}\d{{4,6}}(?:-\d{{3,4}})?\b)?"
# a number in a house number's place, with its parts: 12, 12b, 12/4, H.No. 12, Flat 3
HOUSE = (
    r"(?:(?i:h\. ?no\.?|no\.?|plot|nr\.?|flat|studio|door|unit|house|apt\.?) ?)?"
    r"\d{1,6}[A-Za-z]?(?:[/-]\d{1,4}[A-Za-z]?)?\.?"
)
# postal codes by country: Universal Postal Union, Postal addressing systems in member countries
LETTERED = (
    r"(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d|"
    r"[AC-FHKNPRTV-Y]\d[\dW] [0-9AC-FHKNPRTV-Y]{4})\b"
)
CODE = (
    rf"(?:{LETTERED}|(?:(?:D|A|CH|F|I|B|L|NL|DK|S|SE|N|FIN|PL|CZ|SK|H|RO|BG|HR|SI|E|P|LV|LT|EE|{STATE})[ -])?"
    r"(?:\d{5}(?:-\d{3,4})?|\d\d-\d{3}|\d{4}-\d{3}|\d{3} ?\d\d\d?|\d{4}(?: ?[A-Z]{2})?)(?![\w%]|[.,/-]\d))"
)
PLACE = rf"(?:{WORD}|\p{{Ll}}[\p{{L}}\p{{M}}'\u2019]{{0,9}}\.?)"
STEP = r"(?:\s?,\s?|[^\S\n]?\n\s?)"
COMMA = r"(?: ?, ?| )"
PROVINCE = r"(?: \([A-Z]{2}\)| / [A-Z]{2})?"
FORMATS = {
    "number, street, code": rf"(?<![\w.,/-]){HOUSE}(?:{STEP}| )(?:{PLACE} ){{0,5}}(?:{WORD}|{KIND}){STEP}"
    rf"(?:{WORDS}(?:{STEP}| |-)){{0,2}}{CODE}(?:{COMMA}{WORDS}{PROVINCE})?",
    "street, number, code": rf"\b(?:\p{{Ll}}+\.? )?{WORD}(?: {PLACE}){{0,4}}(?:{STEP}| ){HOUSE}"
    rf"(?:{STEP}{UNIT}|{STEP}\d{{1,4}} \p{{Lu}}\p{{Ll}}+ \d+| \p{{Lu}}\p{{Ll}}+ \d+)?"
    rf"{STEP}{CODE}{COMMA}{WORDS}{PROVINCE}",
    "without capitals": rf"(?i:(?<![\w.,/-]){HOUSE}(?:{STEP}| )(?:[\p{{L}}.'\u2019-]+(?:{STEP}| )){{1,7}}"
    rf"[\p{{L}}.'\u2019-]+{STEP}{LETTERED})",
    "town and code": rf"\b{WORDS},? {LETTERED}",
    "code of letters and digits": r"(?<![\w.,/-])(?:[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}|"
    r"[ABCEGHJ-NPRSTVXY]\d[A-Z] \d[A-Z]\d)(?![\w-])",
    "after a label": r"\b(?i:address)(?i: is|:)\s{1,3}\K[^\n]{4,90}?(?=\.\s+\p{Lu}\p{Ll}+ \p{Ll}|\s*\n|\.?\s*$)",
    "number and street": rf"(?<![\w.])(?:\d{{1,6}} )?\d{{1,6}}[A-Za-z]?,? (?:{WORD} ){{1,5}}{STREET}"
    rf"(?:,? {UNIT})?{REST}",
    "number and compound": rf"\b(?:\d{{1,6}} )?\p{{Lu}}\p{{L}}+{COMPOUND} ?\d+[A-Za-z]?\b|"
    rf"\b\d{{1,6}} \p{{Lu}}\p{{L}}+{COMPOUND}\b",
    "street and number": rf"\b(?:\d{{1,6}},? )?{PREFIX} {LINK}*{WORDS},? \d+[A-Za-z]?\b|"
    rf"\b(?:\d{{1,6}},? ){{1,2}}{PREFIX} {LINK}*{WORDS}",
    "number, word, number": rf"(?<![\w.])\d{{3,6}} {WORDS}[,\s]{{1,3}}{UNIT}",
    "words, number, words": rf"\b{WORDS} \d{{1,6}} {WORDS}[,\s]{{1,3}}{UNIT}",
    "unit": rf"\b{UNIT}{REST}",
    "kind behind the name": rf"\b(?:(?:\d{{1,6}} ){{1,2}}{WORDS}(?: \p{{Ll}}+)? {KIND}(?: \d{{1,4}}[A-Za-z]?\b\.?)?|"
    rf"{WORDS}(?: \p{{Ll}}+)? {KIND} \d{{1,4}}[A-Za-z]?\b\.?)(?:,? {UNIT})?{REST}",
    "crossing": rf"\b(?i:(?:the )?corner of|intersection of) (?:\d+ )?{PLACE}(?: {PLACE}){{0,4}}(?: \d+)?\.? "
    rf"(?:and|&) (?:\p{{Ll}}+\. )?{WORDS}(?: \d+)?",
    "two streets": rf"\b{WORD} and (?=\p{{Lu}}\p{{L}}+{COMPOUND} \d|{PREFIX} {WORDS} \d)",
    "county": rf"\b{WORD}(?: {WORD}){{0,2}} "
    rf"(?:County|Parish|Borough|Township|Shire|Municipality|Province|Prefecture)\b|"
    rf"\b(?:County|Town|City|Village|Township|Borough|Municipality|District) of \K{WORDS}",
    "military mail": rf"\b(?:US[A-Z]{{1,3}} {WORD},?\s+)?(?i:APO|FPO|DPO),? (?i:A[AEP])\b(?:\s+\d{{5}})?",
    "town and state": rf"\b{WORD}(?: {WORD}){{0,2}},\s*{STATE}\b(?:\s+\d{{5}}(?:-\d{{4}})?)?",
    "state and code": rf"\b{STATE},?\s+\K\d{{5}}(?:-\d{{4}})?\b",
    "postal code": r"\b(?i:zip(?: ?code)?|post(?:al)? ?code|postcode)(?: is|:)? ?\K[A-Z0-9][A-Z0-9 -]{2,9}\b",
    "from": rf"\b(?i:man|woman|boy|girl|male|female|lady|gentleman|patient|pt|child|baby|infant|[MF]),? "
    rf"from (?:the )?\K(?!\p{{Lu}}+\b){WORDS}",
    "from, with a code": rf"\b[Ff]rom \K{WORDS}(?: \p{{Ll}}+\.? {WORDS})?,? (?!(?:19|20)\d\d\b)\d{{4,6}}\b(?![%.,]?\w)",
    "from alone": rf"(?:[.;:,]\s|\d,? |\n)[Ff]rom (?:the )?\K(?!\p{{Lu}}+\b){WORDS}(?=[.,;\n])",
    "lives without in": rf"\b(?:Lives|Resides|Address|Addr\.?):? \K{WORDS}",
    "lives": rf"\b(?i:live|lives|living|resides|residing|resident|born|raised|grew up|moved|relocated|"
    rf"travell?ed|visiting|native)(?: back)? (?:in|at|to|from|of|near|outside) (?:the )?\K{WORDS}",
}


class AddressRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find places smaller than a state (45 CFR 164.514(b)(2)(i)(B))."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("LOCATION", name, supported_language, patterns(FORMATS))
