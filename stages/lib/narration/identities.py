"""Invent who a simulated note is about: names, places, dates and numbers of all 18 Safe Harbor classes."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Callable, Mapping
from random import Random

# The identifiers that Safe Harbor removes, 45 CFR 164.514(b)(2)(i)(A) to (R), and the entities planted for each.
SAFE_HARBOR = {
    "A names": ("PERSON", "ORGANIZATION"),
    "B geographic subdivisions smaller than a state": ("LOCATION",),
    "C dates and ages over 89": ("DATE_TIME", "AGE"),
    "D telephone numbers": ("PHONE_NUMBER",),
    "E fax numbers": ("PHONE_NUMBER",),
    "F e-mail addresses": ("EMAIL_ADDRESS",),
    "G social security numbers": ("US_SSN",),
    "H medical record numbers": ("MEDICAL_RECORD_NUMBER",),
    "I health plan beneficiary numbers": ("HEALTH_PLAN_NUMBER",),
    "J account numbers": ("ACCOUNT_NUMBER",),
    "K certificate and license numbers": ("LICENSE_NUMBER",),
    "L vehicle identifiers": ("VEHICLE_ID",),
    "M device identifiers": ("DEVICE_ID",),
    "N web addresses": ("URL",),
    "O IP addresses": ("IP_ADDRESS",),
    "P biometric identifiers": ("BIOMETRIC_ID",),
    "Q full-face photographs": ("PHOTO",),
    "R other unique identifiers": ("ID",),
}
LOCALES = (
    "en_US",
    "en_GB",
    "en_IN",
    "es_ES",
    "de_DE",
    "pl_PL",
    "fr_FR",
    "nl_NL",
    "sv_SE",
)  # not it_IT: its towns follow the hash seed
PER_LOCALE = 50
LETTERS = "ACDEFGHJKMNPQRTUVWXY"  # those of a Medicare beneficiary identifier: none looks like a digit
DATES = (
    *("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%-d %B %Y", "%B %-d, %Y", "%d-%b-%Y", "%d.%m.%Y", "%-m/%-d/%y"),
    *("%-d %b %y", "%b %-d %Y", "%a %d %b %Y", "%d.%m.%y"),
)
# Patterns as Faker has them: % is a digit but 0, # a digit, ? a letter; {} stands for a name of the note.
NAMES = ("{first} {surname}",) * 3 + ("{first} {initial}. {surname}", "{first} {initial} {surname}")
LISTED = ("{surname}, {first}", "{capitals}, {first}", "{capitals} {first}", "{surname}, {first} {initial}.")
DOCTORS = ("{first} {surname}", "{first[0]}. {surname}", "{surname}", "{first[0]} {surname}")
HOSPITALS = (
    *("{} General Hospital", "{} Medical Center", "St. {} Hospital", "{} Children's and General Infirmary"),
    *("Royal {} Infirmary", "{} Memorial Clinic", "University Hospital {}", "{} Health Centre"),
)
PHONES = (
    *("(%##) %##-####", "%##-%##-####", "+44 20 %### ####", "+1 %## %## ####", "%##.%##.####", "+49 30 %#######"),
    *("0%## %## ####", "07%## ######", "(%##)%##-####", "+91 %#### #####", "%##-%##-#### x%##"),
)
FORMS = {
    **dict.fromkeys(("phone", "desk", "fax"), ("PHONE_NUMBER", PHONES)),
    "ssn": ("US_SSN", ("1##-%#-%###", "4##-%#-%###", "5##-%#-%###")),
    "mrn": ("MEDICAL_RECORD_NUMBER", ("%######", "%#######", "A%#####", "%#-%####", "H%#######", "%### %###")),
    "plan": ("HEALTH_PLAN_NUMBER", ("%?##-?##-??##", "%?##?##??##", "W%########", "???%########", "%###-%####-##")),
    "account": ("ACCOUNT_NUMBER", ("%#######", "%##-%####-#", "AC%######", "%###-%###")),
    "licence": ("LICENSE_NUMBER", ("?%######", "?%##-%###-####", "%########", "??%#####?")),
    "device": ("DEVICE_ID", ("SN%####?", "%##-%####", "??-%#####", "??%######", "%#?%####")),
    "biometric": ("BIOMETRIC_ID", ("FP-%####", "FP%#-??-%###", "RS%#####", "VP-%#####")),
    "photo": ("PHOTO", ("IMG_%###.jpg", "DSC%####.JPG", "{plain}_%#.png", "face-{plain}.jpg", "portrait_%####.jpeg")),
    "number": ("ID", ("%#-%#####", "S%######", "ACC%######", "CLM-%#####", "E%#######")),
    "email": ("EMAIL_ADDRESS", ("{given}.{plain}@{domain}", "{plain}_{given}@{domain}", "{given}-%#@{domain}")),
    "office": ("EMAIL_ADDRESS", ("secretary.%#@{domain}", "clinic-%#@{domain}", "reception@{domain}")),
    "portal": ("URL", ("https://portal.{domain}/p/%#####", "www.{domain}/u/%###", "http://{domain}/my/{plain}")),
    "ip": ("IP_ADDRESS", ("10.%#.1##.%", "192.168.%.1##", "8%.1##.%#.%", "2001:db8:%#:%##::%")),
}

# Ages in years, half-open, of those who can have it; nobody whose age is unknown has.
AGES = {"born": (0, 120), "employer": (18, 66), "licence": (18, 90)}
FAKED = {
    "women": "first_name_female",
    "men": "first_name_male",
    "surnames": "last_name",
    "addresses": "address",
    "cities": "city",
    "codes": "postcode",
    "domains": "domain_name",
    "employers": "company",
    "plates": "license_plate",
    "vins": "vin",
}

Pools = Mapping[str, tuple[str, ...]]
"""What identities are drawn from, by the names of FAKED; no entry holds a word of a diagnosis."""
Identity = dict[str, tuple[str, str]]
"""Entity and value by slot."""


def make_pools(seed: int, *, allowed: Callable[[str], bool]) -> Pools:
    """Fill the pools by Faker, in several locales, with what is `allowed`."""
    from faker import Faker

    drawn: dict[str, list[str]] = {name: [] for name in FAKED}
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(f"{seed}/{locale}")
        for name, method in FAKED.items():
            values = (str(getattr(fake, method)()).splitlines() for _ in range(PER_LOCALE))
            drawn[name] += [", ".join(map(str.strip, lines)) for lines in values]
    return {name: tuple(filter(allowed, values)) for name, values in drawn.items()}


def invent(pools: Pools, random: Random, *, sex: str | None, age: float | None) -> tuple[Identity, str]:
    """Return the identifiers of one note, entity and value by slot, and the visit's date in ISO 8601.

    Someone of unknown age has no date of birth; employers and driver's licences are for ages that may have them.
    """

    def drawn(*names: str) -> str:
        return random.choice(sum((pools[name] for name in names), ()))

    first = drawn(*{"female": ("women",), "male": ("men",)}.get(str(sex), ("women", "men")))
    surname, city = drawn("surnames"), drawn("cities")
    visit = datetime.date(2014, 1, 1) + datetime.timedelta(days=random.randrange(4000))
    known = {"given": _plain(first), "plain": _plain(surname), "domain": drawn("domains")}
    planted = {
        **_people(pools, random, first=first, surname=surname),
        **{slot: (entity, _number(random.choice(forms), random, known)) for slot, (entity, forms) in FORMS.items()},
        **_dates(random, visit=visit, age=age),
        "city": ("LOCATION", city),
        "town": ("LOCATION", f"{city} {drawn('codes')}"),
        "county": ("LOCATION", f"{drawn('cities')} County"),
        "address": ("LOCATION", drawn("addresses")),
        "hospital": ("ORGANIZATION", random.choice(HOSPITALS).format(random.choice((city, drawn("surnames"))))),
        "employer": ("ORGANIZATION", drawn("employers")),
        "plate": ("VEHICLE_ID", drawn("plates")),
        "vin": ("VEHICLE_ID", drawn("vins")),
        "old": ("AGE", str(random.randrange(90, 102))),
    }
    lacking = [slot for slot, (low, high) in AGES.items() if age is None or not low <= age < high]
    typed = {slot: (entity, _mistyped(value, random)) for slot, (entity, value) in planted.items()}
    return {slot: value for slot, value in typed.items() if slot not in lacking}, visit.isoformat()


def _people(pools: Pools, random: Random, *, first: str, surname: str) -> Identity:
    """Return the names of patient, relatives and doctors, and the doctor's licences."""
    women, men = ([name for name in pools[sex] if name != first] for sex in ("women", "men"))
    known = {"first": first, "surname": surname, "capitals": surname.upper(), "initial": random.choice(LETTERS)}
    doctor, referrer = (
        {"first": random.choice(women + men), "surname": random.choice(pools["surnames"])} for _ in range(2)
    )
    names = {
        "first": first,
        "patient": random.choice(NAMES).format(**known),
        "patient_listed": random.choice(LISTED).format(**known),
        "kinswoman": f"{random.choice(women)} {surname}",
        "kinsman": f"{random.choice(men)} {surname}",
        "parent": f"{random.choice(women + men)} {surname}",
        "doctor": random.choice(DOCTORS).format(**doctor),
        "referrer": random.choice(DOCTORS).format(**referrer),
    }
    people = {slot: ("PERSON", name) for slot, name in names.items()}
    dea = _dea(_plain(doctor["surname"])[:1].upper(), random)
    return people | {"npi": ("LICENSE_NUMBER", _npi(random)), "dea": ("LICENSE_NUMBER", dea)}


def _dates(random: Random, *, visit: datetime.date, age: float | None) -> Identity:
    """Return the dates around a visit, all in one format."""
    days = {
        "visit": 0,
        "born": -round((age or 0) * 365.25) - random.randrange(*((25, 300) if (age or 0) >= 2 else (2, 20))),
        "admitted": -random.randrange(1, 15),
        "earlier": -random.randrange(7, 400),
        "later": random.randrange(14, 200),
        "died": -random.randrange(100, 5000),
    }
    form = random.choice(DATES)
    dates = {slot: visit + datetime.timedelta(days=ahead) for slot, ahead in days.items()}
    return {slot: ("DATE_TIME", date.strftime(form)) for slot, date in dates.items()}


def _number(form: str, random: Random, known: dict[str, str]) -> str:
    """Fill the digits and letters of a form, then the names."""
    signs = {"%": "123456789", "#": "0123456789", "?": LETTERS}
    return "".join(random.choice(signs.get(sign, sign)) for sign in form).format(**known)


def _npi(random: Random) -> str:
    """Return a National Provider Identifier: the last digit is Luhn's for 80840 and the nine before it."""
    digits = str(random.randrange(10**8, 2 * 10**8))
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return f"{digits}{-(total + 24) % 10}"


def _dea(initial: str, random: Random) -> str:
    """Return a DEA number: the last digit is that of the odd places' sum plus twice the even places' sum."""
    digits = str(random.randrange(10**5, 10**6))
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(digits))
    return f"{random.choice('ABFM')}{initial}{digits}{total % 10}"


def _mistyped(value: str, random: Random) -> str:
    """Return the value, now and then in lower case or with a blank too many."""
    draw = random.random()
    return value.lower() if draw < 0.02 else value.replace(" ", "  ", 1).replace(", ", " ,") if draw < 0.04 else value


def _plain(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l")).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain if letter.isalnum())
