"""What NER takes for a name and medicine does not: eponyms, scores, drugs, abbreviations, clinical words."""

from __future__ import annotations

import re

from stages.lib.phi.lexicon import Lexicon
from stages.lib.phi.spans import Span

# "Parkinson disease" stays, "Mr Parkinson" goes: an eponym is one by the word that follows it
HEADS = (
    r"(?:disease|syndrome|score|scale|index|criteria|criterion|classification|sign|test|reflex|phenomenon|law|rule|"
    r"triad|angina|palsy|paralysis|lymphoma|sarcoma|tumou?r|cancer|carcinoma|anemia|anaemia|thyroiditis|contracture|"
    r"fracture|deformity|malformation|anomaly|node|nodes|nodule|cell|cells|body|bodies|line|lines|ring|rings|duct|gland|"
    r"tube|catheter|procedure|operation|repair|manoeuv?re|maneuver|method|technique|stain|staging|stage|grade|level|"
    r"risk|study|trial|guidelines?|protocol|regimen|diet|esophagus|oesophagus|ulcer|hernia|dystrophy|ataxia|chorea|"
    r"encephalopathy|neuropathy|nephropathy|retinopathy|cardiomyopathy|arthropathy|arteritis|vasculitis|purpura|"
    r"gangrene|hepatitis|pneumonia|fever|virus|bacillus|infection|type|variant|mutation|gene|protein|antibod(?:y|ies)|"
    r"antigen|inclusion|granulomatosis|histiocytosis|dementia|psychosis|seizures?|epilepsy|facies|spots?|nails|"
    r"crisis|attack|formula|equation|block|murmur|rhythm|wave|waves|pain|position|mask|brace|splint|stent|valve|"
    r"pump|monitor|counts?|levels?|inhibitors?|agonists?|blockers?|therapy|treatment|vaccine|screening|survey|"
    r"questionnaire|inventory|assessment|scan|imaging|MRI|CT)"
)
EPONYM = re.compile(rf"^(?:['\u2019]s|s['\u2019])?[ -](?:[\w-]+ ){{0,2}}{HEADS}\b", re.IGNORECASE)
LAST_HEAD = re.compile(rf"\b{HEADS}$", re.IGNORECASE)
POSSESSIVE = re.compile(
    r"(?:w/ ?)?(?:Addison|Alzheimer|Asperger|Barrett|Behcet|Behçet|Bell|Crohn|Cushing|Down|Ehlers|Graves|Hashimoto|"
    r"Hirschsprung|Hodgkin|Huntington|Kawasaki|Lewy|Marfan|Meniere|Ménière|Osler|Paget|Parkinson|Raynaud|Reye|Sjogren|Sjögren|Still|"
    r"Takayasu|Tourette|Turner|Wegener|Wilson)(?:['\u2019]s?|s)"
)
SENTENCE_START = re.compile(r"(?:^|[.!?:]\s+|\n\s*)$")
TITLED = re.compile(r"\b(?:dr|mr|mrs|ms|miss|prof|doctor|nurse|named|called)\.? ?$", re.IGNORECASE)
PLACED = re.compile(r"(?:\b(?:at|by|from|our)|@)(?: the)? $", re.IGNORECASE)
COUNTRIES = re.compile(r"^(?:the )?(?:U\.?S\.?A?\.?|U\.?K\.?|E\.?U\.?|America|Europe|Asia|Africa|Australia|Western)$")
# parts of a hospital and of a record, which NER takes for organisations
COMMON = (
    "patient patients doctor hospital clinic emergency department room unit ward icu nicu picu ed er or opd pacu ems "
    "history exam examination assessment plan impression findings medications allergies mother father brother sister "
    "son daughter wife husband family male female man woman boy girl child infant yes no unknown none normal negative "
    "positive left right upper lower type stage grade phase day week month year type class she he they his her their "
    "the a an of and in on for with to from hpi pmh ros bp hr rr temp labs vitals abdomen chest head neck skin eyes "
    "ears nose throat back please note thanks thank hello hi hey dear "
    "obs hx fhx pmhx shx tel fax re nok arr tx rx dx sx pt dad mom mum i've i'm i'll i'd it's also"
)
COMMON_WORDS = frozenset(COMMON.split())
WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def is_clinical(text: str, span: Span, lexicon: Lexicon) -> bool:
    """Say whether the `span` that an NER model found in `text` means something clinical and stays."""
    found, before, after = (
        text[span.start : span.end],
        text[max(0, span.start - 12) : span.start],
        text[span.end : span.end + 60],
    )
    if TITLED.search(before):
        return False
    words = WORD.findall(found)
    if (
        POSSESSIVE.fullmatch(found)
        or EPONYM.match(after)
        or LAST_HEAD.search(found)
        or COUNTRIES.match(found)
        or (len(words) < 4 and any(map(_holds_measure, words)))
    ):
        return True
    if not any(word[0].isupper() for word in words):
        return span.entity != "PERSON" or not all(map(lexicon.is_name, words))
    placed = PLACED.search(before) is not None or (span.entity == "LOCATION" and len(found) > 4)
    if SENTENCE_START.search(before) and lexicon.is_common(words[0]):
        words = words[1:]
    return all(_stays(word, placed=placed, lexicon=lexicon) for word in words)


def _holds_measure(word: str) -> bool:
    """Say whether a word mixes letters and digits: SpO2, L4, CHADS2, 45-year-old."""
    return any(character.isdigit() for character in word) and any(character.isalpha() for character in word)


def _stays(word: str, *, placed: bool, lexicon: Lexicon) -> bool:
    if word.lower().replace("\u2019", "'") in COMMON_WORDS:
        return True
    parts = [part for part in re.split(r"['\u2019-]", word) if len(part) > 1] or [word]
    return all(
        part.lower() in COMMON_WORDS
        or not part[0].isalpha()
        or len(part) == 1
        or (part[0].islower() and not lexicon.is_name(part))
        or (len(part) <= 6 and sum(map(str.isupper, part)) > 1 and not placed)
        or lexicon.is_clinical(part)
        for part in parts
    )
