"""Names that are medicine's by what stands beside them: "Parkinson disease" stays, "Mr Parkinson" goes."""

from __future__ import annotations

import re
from itertools import pairwise

from stages.lib.phi.lexicon import Lexicon

# what is called after someone: diseases and findings; scores and their grades; what is done; parts of the body; tools
HEADS = (
    r"(?:(?:disease|syndrome|score|scale|ind(?:ex|ices)|criteria|criterion|classification|sign|test|reflex|phenomenon|"
    r"law|rule|definition|"
    r"triad|angina|palsy|paralysis|aphasia|lymphoma|sarcoma|tumou?r|cancer|carcinoma|anemia|anaemia|thyroiditis|"
    r"contracture|fracture|deformity|malformation|anomaly|node|nodule|lesion|papule|plaque|polyp|tear|pupil|cell|body|"
    r"bodies|line|ring|stria|striae|duct|gland|ligament|nerve|muscle|canal|foramen|ganglion|sinus|"
    r"tube|catheter|drain|shunt|incision|suture|flap|graft|pouch|forceps|procedure|operation|repair|reversal|"
    r"manoeuv?re|maneuver|method|technique|stain|smear|cytology|staging|stage|grade|class|category|level|thickness|"
    r"risk|study|trial|guideline|protocol|regimen|diet|wort|esophagus|oesophagus|ulcer|hernia|dystrophy|ataxia|chorea|"
    r"encephalopathy|neuropathy|nephropathy|retinopathy|cardiomyopathy|arthropathy|arteritis|vasculitis|purpura|"
    r"gangrene|hepatitis|pneumonia|fever|virus|bacillus|infection|type|variant|phenotype|mutation|gene|protein|"
    r"antibody|antibodies|"
    r"antigen|inclusion|granulomatosis|histiocytosis|dementia|psychosis|seizure|epilepsy|facies|spot|nails|"
    r"crisis|attack|formula|equation|block|murmur|rhythm|wave|pain|contraction|breathing|respiration|circulation|"
    r"physiology|position|mask|brace|splint|stent|valve|filter|"
    r"pump|monitor|count|inhibitor|agonist|blocker|therapy|treatment|vaccine|screening|survey|exercise|"
    r"questionnaire|inventory|sequence|association|complex|assessment|scan|imaging)s?|MRI|CT)"
)
# "Laroche has fever" is no eponym, nor is "Laroche developed severe pain"
LINKING = (
    r"(?:has|had|have|is|was|with|and|or|for|in|on|of|at|to|from|by|who|denie[sd]|reports|said|a|an|the|"
    r"(?!modified|revised|simplified|combined|adjusted|reduced|updated)\w+ed|feels|felt|gets|got|began|came|went|took|"
    r"takes|needs|complains|states|notes|presents|shows|now|today|again) "
)
NAME = r"(?-i:[A-ZÀ-Þ][\w'\u2019-]*)"
# "Rinne and Weber tests", "Cullen or Grey Turner sign"
ANOTHER = rf"(?:(?: (?:and|or|vs\.?|versus|&) | ?/ ?){NAME}(?: {NAME})?){{0,2}}"
EPONYM = re.compile(
    rf"^(?:['\u2019]s|s['\u2019])?{ANOTHER}[ -](?:(?!{LINKING})[\w-]+ ){{0,2}}{HEADS}\b",
    re.IGNORECASE,
)
LAST_HEAD = re.compile(rf"\b{HEADS}(?: of)?$", re.IGNORECASE)
POSSESSIVE = re.compile(
    r"(?:w/ ?)?(?:Addison|Alzheimer|Asperger|Barrett|Behcet|Behçet|Bell|Crohn|Cushing|Down|Ehlers|Graves|Hashimoto|"
    r"Hirschsprung|Hodgkin|Huntington|Kawasaki|Lewy|Marfan|Meniere|Ménière|Osler|Paget|Parkinson|Raynaud|Reye|Sjogren|"
    r"Sjögren|Still|Takayasu|Tourette|Turner|Wegener|Wilson)(?:['\u2019]s?|s)"
)
# "Bosniak IIF" and "Hinchey III" are grades; "John Hartwell III" is a name, by the one before it
GRADE = r"(?:I{2,3}[A-F]?|IV[A-F]|VI{1,2})"  # "Hartwell IV fluids" and "Hartwell V tach" are none
GRADED = re.compile(rf"[^\W\d_]{{3,}} {GRADE}")
GRADE_AFTER = re.compile(rf" {GRADE}\b")
NAME_BEFORE = re.compile(r"\b[A-Z][\w.'\u2019-]* $")
# what hyphens join to a part: "[Wolff]-Parkinson-White"
HYPHENS_BEFORE = re.compile(r"(?:[^\W\d_]+-)*$")
HYPHENS_AFTER = re.compile(r"^(?:-[^\W\d_]+)*")
# "Loeys-Dietz vs Marfan": patients are not compared
VERSUS = re.compile(r"\b(?:vs\.?|versus) ")


def is_eponym(found: str, *, before: str, after: str, lexicon: Lexicon) -> bool:
    """Say whether `found`, between `before` and `after`, names a disease, a sign, a score or the like."""
    return (
        POSSESSIVE.fullmatch(found) is not None
        or EPONYM.match(after) is not None
        or LAST_HEAD.search(found) is not None
        or _is_graded(found, before, after)
        or VERSUS.search(found) is not None
        or _is_of_ontology(HYPHENS_BEFORE.findall(before)[0] + found + HYPHENS_AFTER.findall(after)[0], lexicon)
    )


def _is_graded(found: str, before: str, after: str) -> bool:
    """Say whether a single name has a grade in Roman numerals."""
    graded = GRADED.fullmatch(found) or (found.isalpha() and GRADE_AFTER.match(after))
    return bool(graded) and NAME_BEFORE.search(before) is None


def _is_of_ontology(word: str, lexicon: Lexicon) -> bool:
    """Say whether the ontology has all names that hyphens join in `word` side by side: Osgood-Schlatter."""
    parts = word.lower().split("-")
    return len(parts) > 1 and all(pair in lexicon.ontology.pairs for pair in pairwise(parts))
