"""Names that are medicine's common knowledge and identify nobody: societies, authors of guidelines, brands of drugs."""

from __future__ import annotations

import re

# A society or an authority by the grammar of its name; a hospital or a university is none
NATIONAL = (
    r"(?:American|European|British|Canadian|Australian|Australasian|German|French|Italian|Spanish|Dutch|Japanese|"
    r"Chinese|Korean|Indian|Asian|African|Nordic|Scandinavian|International|National|World|Global|Royal|Federal|"
    r"United States|United Kingdom|U\.?S\.?|UK)"
)
SOCIETY = (
    rf"{NATIONAL} (?:[^\W\d_][\w-]*,? (?:(?:and|of|for) )?){{0,4}}?"
    r"(?:College|Academy|Society|Association|Institutes?|Organi[sz]ation|Agency|Committee|Council|Foundation|"
    r"Federation|"
    r"Union|Task Force|Commission|Administration|Consortium|Collaboration|League|Alliance|Cent(?:er|re)s? for|"
    r"Initiative)\b|"
    r"(?:Joint Commission|Surviving Sepsis(?: Campaign)?|Women['\u2019]s Health Initiative|Nurses['\u2019] "
    r"Health Study)\b"
)
# Institutions whose guidance is read everywhere: they stay as its authors, and go as the place where a patient was seen
AUTHOR = (
    r"(?:Mayo Clinic|Cleveland Clinic|Johns Hopkins|Memorial Sloan[ -]Kettering|MD Anderson|Cochrane|Framingham|"
    r"Karolinska|"
    r"Mass(?:achusetts)? General|Brigham and Women['\u2019]s|Harvard|Stanford|Yale|Oxford|Cambridge)"
)
GUIDANCE = (
    r"(?:guidelines?|recommendations?|criteria|criterion|guidance|consensus|statements?|protocols?|standards?|"
    r"algorithms?|"
    r"calculators?|nomograms?|scores?|scales?|classifications?|stud(?:y|ies)|trials?|reviews?|manual|handbook|"
    r"definitions?|pathways?)"
)
# "seen in Oxford with a score" and "a trial at Mayo Clinic" tell where a patient was
SMALL = (
    r"(?:an?|the|and|or|with|without|at|in|on|for|to|by|per|from|of|who|that|which|is|was|were|are|has|had|have|after|"
    r"before|under|since|as|his|her|their|our|no|not|but|then|when|while)"
)
WRITTEN = re.compile(rf"(?:{GUIDANCE} (?:from|by|of)|published by) (?:the )?$", re.IGNORECASE)
WRITES = re.compile(rf"(?: Hospital)?(?:['\u2019]s)? (?:(?!{SMALL}\b)[\w-]+ ){{0,2}}{GUIDANCE}\b", re.IGNORECASE)
OF_SOCIETY = re.compile(rf"(?:the )?(?:{SOCIETY})")
OF_AUTHOR = re.compile(rf"(?:the )?{AUTHOR}(?: Hospital| Medicine| University)?")
AUTHORITY = re.compile(rf"\b(?:{SOCIETY}|{AUTHOR}\b)")
BRAND = (
    "lipitor crestor zocor plavix eliquis xarelto pradaxa brilinta entresto jardiance farxiga invokana januvia ozempic "
    "wegovy mounjaro zepbound trulicity victoza byetta lantus levemir humalog novolog tresiba toujeo humira enbrel "
    "remicade stelara cosentyx skyrizi rinvoq xeljanz otezla dupixent xolair nucala fasenra keytruda opdivo yervoy "
    "tecentriq imfinzi herceptin avastin rituxan revlimid imbruvica ibrance tagrisso gleevec xtandi zytiga lynparza "
    "prolia fosamax evista forteo advair symbicort spiriva flovent ventolin singulair zyrtec claritin nexium prilosec "
    "protonix pepcid zantac zofran reglan lasix aldactone norvasc zestril prinivil diovan cozaar benicar coreg toprol "
    "lopressor tenormin synthroid glucophage amaryl glucotrol zoloft prozac lexapro celexa paxil effexor cymbalta "
    "wellbutrin abilify zyprexa seroquel risperdal geodon latuda depakote lamictal keppra topamax dilantin tegretol "
    "trileptal neurontin lyrica xanax ativan klonopin valium ambien lunesta adderall ritalin concerta vyvanse "
    "strattera "
    "suboxone narcan vivitrol percocet vicodin oxycontin ultram toradol celebrex mobic tylenol advil motrin aleve "
    "excedrin zithromax augmentin bactrim cipro levaquin keflex rocephin zosyn flagyl diflucan valtrex tamiflu "
    "paxlovid "
    "veklury truvada biktarvy descovy genvoya harvoni epclusa mavyret shingrix gardasil prevnar pneumovax botox viagra "
    "cialis flomax avodart proscar detrol myrbetriq tysabri ocrevus gilenya tecfidera copaxone avonex aubagio kesimpta "
    "aimovig ajovy emgality imitrex maxalt nurtec ubrelvy coumadin lovenox heparin benadryl sudafed mucinex robitussin "
    "pepto tums imodium miralax senokot colace dulcolax zika ebola covid takotsubo medicare medicaid uptodate pubmed "
    "medline embase mdcalc holter doppler "
    "leqembi kisunla aduhelm repatha praluent leqvio nexletol kerendia verquvo corlanor multaq ranexa tikosyn betapace "
    "cardizem bystolic edarbi exforge hyzaar micardis atacand lotrel briviact vimpat xcopri fycompa onfi banzel "
    "epidiolex spravato caplyta vraylar rexulti auvelity trintellix viibryd pristiq qulipta vyepti reyvow belsomra "
    "dayvigo buspar remeron sinemet mirapex requip azilect nuplazid ingrezza austedo aricept namenda provigil nuvigil "
    "xyrem intuniv chantix antabuse sublocade subutex zubsolv dilaudid duragesic lidoderm voltaren rybelsus saxenda "
    "qsymia contrave basaglar semglee dexcom omnipod nexplanon mirena liletta paragard nuvaring premarin cytomel breo "
    "trelegy anoro dulera qvar pulmicort asmanex tezspire kalydeco trikafta ofev esbriet opsumit uptravi adempas "
    "tracleer revatio tyvaso orencia actemra kevzara simponi cimzia taltz tremfya bimzelx entyvio zeposia benlysta "
    "saphnelo krystexxa uloric kisqali verzenio enhertu kadcyla perjeta trodelvy tukysa piqray faslodex arimidex "
    "femara zejula erleada nubeqa lupron orgovyx pluvicto sutent votrient inlyta cabometyx lenvima nexavar cyramza "
    "erbitux vectibix libtayo bavencio adcetris venclexta calquence brukinsa jakafi velcade kyprolis darzalex pomalyst "
    "ninlaro yescarta kymriah blincyto vidaza tasigna sprycel neulasta neupogen procrit aranesp injectafer venofer "
    "nplate promacta soliris ultomiris hemlibra xofluza isentress tivicay triumeq dovato cabenuva symtuza vosevi "
    "baraclude vemlidy viread zyvox cubicin teflaro avycaz dificid xifaxan macrobid vfend noxafil linzess amitiza "
    "trulance motegrity creon ocaliva rezdiffra synagis beyfortus arexvy abrysvo heplisav twinrix menveo bexsero "
    "boostrix comirnaty spikevax valcyte genexpert"
)
KNOWN = frozenset(BRAND.split())
# What is compared with a drug is one: "Nexplanon or medroxyprogesterone"
DRUG = (
    r"(?:[^\W\d_]+(?:mycin|cillin|pril|sartan|statin|olol|azole|mab|nib|xaban|gliptin|gliflozin|tide|pam|lam|parin|vir|"
    r"dipine|cycline|floxacin|oxetine|azepine|sone|solone|triptan|setron|gepant|afil|cept|formin)|"
    rf"{'|'.join(sorted(KNOWN))})"
)
OR = r"(?: (?:or|vs\.?|versus) | ?/ ?)"
BEHIND_A_DRUG = re.compile(rf"\b{DRUG}{OR}$", re.IGNORECASE)
BEFORE_A_DRUG = re.compile(rf"{OR}{DRUG}\b", re.IGNORECASE)
# A continent, a part of one or several states: none is a place below a state. South Africa is a country
REGIONS = re.compile(
    r"(?:the )?(?:U\.?S\.?A?\.?|U\.?K\.?|E\.?U\.?|Western|Mediterranean|"
    r"(?:(?:Sub-Saharan|(?:North|South)(?:ern|east(?:ern)?|west(?:ern)?)|Eastern|Western|Central|Latin) )?"
    r"(?:America|Europe|Asia|Africa|Australia)|"
    r"(?:(?:Upper|American) )?Midwest|Pacific Northwest)$"
)
RACE = re.compile(r"(?:Black|White|Brown)")
PEOPLE = re.compile(
    r"(?: or \w+| and \w+)? (?:patients?|adults?|m[ae]n|wom[ae]n|males?|females?|child(?:ren)?|infants?|boys?|girls?|"
    r"people|persons?|populations?|participants|mothers|Americans?)\b"
)
# Clostridioides difficile: a genus by the Latin ending of its species
SPECIES = re.compile(
    r" (?P<species>[a-z]{4,}(?:ile|ii|iae|ensis|icum|ogenes|icans|osa|oides|eus|aris|alis|ans|um|us|is))\b"
)
MEASURED = re.compile(
    r"[^\W\d_]\S* (?:of )?(?:\d+\.\d+\b|\d\+\d\b|\d+ ?(?:mg|mcg|µg|g|kg|ml|l|units?|iu|mmol|meq|mm|cm|%)(?!\w))",
    re.IGNORECASE,
)


def authorities(text: str) -> list[tuple[int, int]]:
    """Return where `text` names a society, or an institution as the author of guidance."""
    return [
        found.span()
        for found in AUTHORITY.finditer(text)
        if is_authority(
            found.group(), before=text[max(0, found.start() - 40) : found.start()], after=text[found.end() :]
        )
    ]


def is_authority(found: str, *, before: str, after: str) -> bool:
    """Say whether `found` is a society, or an institution as the author of guidance: "the Mayo Clinic criteria"."""
    if OF_SOCIETY.match(found):
        return True
    return OF_AUTHOR.fullmatch(found) is not None and (
        WRITES.match(after) is not None or WRITTEN.search(before) is not None
    )


def is_beside_a_drug(before: str, after: str) -> bool:
    """Say whether what lies between is compared with a drug, so that it is one."""
    return BEHIND_A_DRUG.search(before) is not None or BEFORE_A_DRUG.match(after) is not None


def is_race(found: str, after: str) -> bool:
    """Say whether `found` is a colour before people: "Black patients"."""
    return RACE.fullmatch(found) is not None and PEOPLE.match(after) is not None
