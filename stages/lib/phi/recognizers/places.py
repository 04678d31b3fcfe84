"""Addresses, postal codes and facilities by their grammar: number and street, town and state, name and "Hospital"."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import patterns

WORD = r"(?:\p{Lu}[\p{L}\p{M}.'\u2019-]{0,30})"  # bounded, lest a row of such signs takes the square of its length
WORDS = rf"{WORD}(?: {WORD}){{0,4}}"
STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Place|Pl|Square|Squares|Sq|"
    r"Terrace|Ter|Way|Parkway|Pkwy|Highway|Hwy|Trail|Trl|Crescent|Close|Row|Mews|Alley|Loop|Plaza|Turnpike|Grove|"
    r"Gardens|Hill|Park|Walk|Quay|Wharf|Broadway|Crossing|Ridge|Point|Pike|Manor|Heights|Path|Bend)\b\.?"
)
COMPOUND = (
    r"(?i:stra(?:ß|ss)e|str\.|gasse|weg|allee|gatan|gata|gränd|stigen|torget|vägen|veien|vej|gade|katu|kuja|tie|"
    r"polku|straat|laan|plein|kade|gracht|platz|ring|damm|ufer|steig|stræti|vegur|brekka|braut|plads|stien|"
    r"stræde|steeg|ulica|utca)"
)
PREFIX = (
    r"(?:Rua|[Rr]ue|[Rr]ang|[Bb]ulevardul|[Ss]trada|[Aa]leea|[Dd]rumul|[Ss]plaiul|[Dd]iagonal|[Aa]ndador|"
    r"[Cc]allejón|[Cc]alzada|[Cc]ircunvalación|"
    r"[Pp]rivada|[Aa]cceso|[Pp]rolongación|[Ee]splanada|[Rr]odovia|[Vv]ereda|[Aa]lameda|[Rr]eta|[Bb]eco|"
    r"[Vv]iaduto|[Qq]uinta|[Pp]asseig|[Aa]vinguda|"
    r"[Aa]llée?|[Mm]ontée|[Ss]quare|[Pp]assage|[Ss]entier|[Cc]ours|[Aa]v\.?|[Tt]ravessa|[Pp]raceta|[Vv]ila|"
    r"[Vv]ia|[Vv]iale|[Cc]alle|[Aa]venida|Av\.|[Aa]venue|Piazza|Plaza|Place|Boulevard|Bd|Chemin|Strada|"
    r"Corso|Carrer|Largo|Praça|Travessa|Estrada|Ulica|ulica|ul\.|Ul\.|Paseo|Camino|C/|Route|Quai|Allée|Vicolo|"
    r"Contrada|Rambla|ulitsa|"
    r"[Aa]leja|[Aa]l\.|[Pp]lac|[Pp]l\.|[Oo]siedle|[Oo]s\.|[Bb]oulevard|[Bb]d\.?|[Cc]hemin|[Aa]llée|[Ii]mpasse|"
    r"[Qq]uai|[Pp]laza|[Pp]asaje|[Rr]onda|[Cc]arretera|[Cc]amino|[Pp]aseo|[Gg]lorieta|[Rr]ampa|"
    r"[Vv]icolo|[Pp]iazza|[Pp]iazzale|[Cc]orso|[Ll]argo|[Vv]iale|[Cc]ontrada|[Ss]tretto|[Cc]anale|[Bb]orgo|"
    r"[Rr]otonda|[Ii]ncrocio)"
)
LINK = r"(?:(?:d[aeiou]s?|de la|la|du|des|della|dei|del|l['\u2019]|d['\u2019]|do|das|am|an der|im|zum) ?)"
UNIT = (
    r"(?:(?i:apt|apartment|suite|ste|p\.? ?o\.? box|psc|box|postfach|casella postale|flat|floor|bldg|building|"
    r"(?:unit|psc|cmr) \d{1,5},? box)\.? ?#?\d+[A-Za-z]?\b)"
)
# towns with small words between: Büsingen am Hochrhein, Vila do Conde, Stratford upon Avon
LINKED = (
    r"(?:am|an der|ob der|in der|bei|im|ober|sur|sous|lès|les|le|la|de|de la|del|della|di|do|da|dos|das|e|los|"
    r"las|el|pod|nad|v|na|"
    r"u|ved|upon|on|under|of|the|van|aan|aan de|den|der|zum|zur|vor der|pri|kod|pri)"
)
TOWN = rf"{WORD}(?:(?: {LINKED}){{0,2}}[ -]{WORD}){{0,4}}"
# streets whose kind is a word of its own, behind the name: "Kossuth Lajos utca 12."
KIND = (
    r"(?:utca|u\.|út|útja|tér|tere|köz|körút|krt\.|rakpart|rkp\.|sétány|sor|fasor|terrasse|tee|pst|puiestee|mnt|"
    r"ulica|cesta|trg|nábřeží|náměstí|nám\.|katu|tie|väg|gata|vei|vej|allé|plads|Str\.|St\.)(?!\p{L})"
)
STATE = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|"
    r"W[AIVY]|A[AEP])"
)
COUNTRY = (
    r"(?:United Kingdom|Great Britain|England|Scotland|Wales|Northern Ireland|Ireland|Canada|Australia|New "
    r"Zealand|India|Germany|"
    r"Deutschland|Austria|Österreich|Switzerland|Schweiz|Suisse|France|Spain|España|Portugal|Italy|Italia|Poland|"
    r"Polska|Czech Republic|Czechia|"
    r"Slovakia|Slovenia|Croatia|Hungary|Romania|Bulgaria|Greece|Turkey|Türkiye|Netherlands|Nederland|Belgium|"
    r"Luxembourg|Denmark|Danmark|Sweden|Sverige|"
    r"Norway|Norge|Finland|Suomi|Iceland|Estonia|Latvia|Lithuania|Ukraine|Russia|Serbia|Mexico|México|Brazil|"
    r"Brasil|Argentina|Chile|"
    r"Colombia|Peru|Uruguay|Venezuela|South Africa|Nigeria|Kenya|Egypt|Morocco|Tunisia|Israel|Pakistan|"
    r"Bangladesh|China|Japan|"
    r"South Korea|Singapore|Malaysia|Philippines|Thailand|Vietnam|Indonesia|Cyprus(?: \(Greek\))?|Malta|"
    r"Greenland|Puerto Rico|USA)"
)
# the further lines of an address, to a postal code; a region may be a code: ", QLD", ", 13"
REST = (
    rf"(?:(?:[,.\s>]{{1,6}}(?:{WORD}|{LINK}|\p{{L}}{{2,3}}\b|\d\d(?=\n))){{1,8}}[,\s>]{{1,6}}\d{{4,6}}(?:-\d{{3,4}})?\b"
    rf"(?:[,\s>]{{1,4}}{COUNTRY}\b)?)?"
)
# a number in a house number's place, with its parts: 12, 12b, 12/4, H.No. 12, Flat 3
HOUSE = (
    r"(?:(?i:h\. ?no\.?|no\.?|plot|nr\.?|flat|studio|door|unit|house|apt\.?) ?)?"
    r"\d{1,6}[A-Za-z]?(?:[/-]\d{1,4}[A-Za-z]?)?\.?"
)
# behind the name of a street: 12, 12b, Nr. 12, N° 12, s/n (sin número), 12 Bl. 3 Sc. 1 Ap. 44
BEHIND = (
    r"(?:(?i:nr\.?|no\.?|n[°º.]|num\.?) ?)?(?:\d{1,6}(?: ?[A-Za-z])?(?:[/-]\d{1,4}[A-Za-z]?)?(?![\w%])\.?|[Ss]/[Nn]\b)"
    r"(?:,? {1,2}(?i:bl|sc|ap|et|edif|depto|int|interior|esc|pta|puerta|piso|local|bloque|stiege|top|tür|"
    r"staircase|entrance|lot)\b\.?"
    r" ?\d{1,4}[A-Za-z]?\b(?: ?,)?){0,4}"
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
    rf"(?:{STEP}| (?!(?:19|20)\d\d\b)){CODE}{COMMA}{WORDS}{PROVINCE}",
    "unit before the house": r"\b(?i:unit|level|lot|shop|villa|studio|suite|room|flat|apt\.?) "
    r"\d{1,4}[A-Za-z]?(?=,? \d{1,5}[A-Za-z]? \p{Lu}\p{Ll})",
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
    "street and number": rf"\b(?:\d{{1,6}},? )?{PREFIX} {LINK}*{TOWN},? {BEHIND}{REST}|"
    rf"(?<![\w.,/-])(?:\d{{1,6}}[A-Za-z]?(?:[/-]\d{{1,4}})?,? ){{1,2}}{PREFIX} {LINK}*{TOWN}",
    "number, word, number": rf"(?<![\w.])\d{{3,6}} {WORDS}[,\s]{{1,3}}{UNIT}",
    "words, number, words": rf"\b{WORDS} \d{{1,6}} {WORDS}[,\s]{{1,3}}{UNIT}",
    "unit": rf"\b{UNIT}{REST}",
    "kind behind the name": rf"\b(?:(?:\d{{1,6}} ){{1,2}}{WORDS}(?: \p{{Ll}}+)? {KIND}(?: \d{{1,4}}[A-Za-z]?\b\.?)?|"
    rf"{WORDS}(?: \p{{Ll}}+)? {KIND} \d{{1,4}}[A-Za-z]?\b\.?)(?:,? {UNIT})?{REST}",
    "crossing": rf"\b(?i:(?:the )?corner of|intersection of) (?:\d+ )?{PLACE}(?: {PLACE}){{0,4}}(?: \d+)?\.? "
    rf"(?:and|&) (?:\p{{Ll}}+\. )?{WORDS}(?: \d+)?",
    "town and country": rf"(?:(?<=[,\n]\s{{0,2}})|(?<=\d{{4,6}}[, \n]{{1,2}})){COUNTRY}(?:\s\d{{4,6}}\b|"
    rf"(?=\s*(?:[.,;?!)\n]|\Z)))",
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
