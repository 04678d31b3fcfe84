"""Invent who a simulated note is about: names, places, numbers and dates from pools that Faker fills once."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

LOCALES = ("en_US", "en_GB", "en_IN", "es_ES", "de_DE", "pl_PL")
PER_LOCALE = 60
HOSPITALS = (
    "{} General Hospital",
    "{} Medical Center",
    "St. {} Hospital",
    "{} Children's and General Infirmary",
    "Royal {} Infirmary",
    "{} Memorial Clinic",
    "University Hospital {}",
)
PHONES = (
    "({3}) {3}-{4}",
    "{3}-{3}-{4}",
    "+44 20 {4} {4}",
    "+1 {3} {3} {4}",
    "{3}.{3}.{4}",
    "+49 30 {8}",
    "0{3} {3} {4}",
)
RECORD_NUMBERS = ("{7}", "{8}", "A{6}", "{2}-{5}", "H{8}", "{4} {4}")
DATES = ("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%-d %B %Y", "%B %-d, %Y", "%d-%b-%Y", "%d.%m.%Y", "%-m/%-d/%y")

Identity = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Pools:
    """What identities are drawn from; no entry holds a word of a diagnosis."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    surnames: tuple[str, ...]
    addresses: tuple[str, ...]
    cities: tuple[str, ...]
    domains: tuple[str, ...]


def make_pools(seed: int, *, allowed: Callable[[str], bool]) -> Pools:
    """Fill the pools by Faker, in several locales, with what is `allowed`."""
    from faker import Faker

    drawn: dict[str, list[str]] = {name: [] for name in Pools.__dataclass_fields__}
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(f"{seed}/{locale}")
        draws = {
            "women": fake.first_name_female,
            "men": fake.first_name_male,
            "surnames": fake.last_name,
            "addresses": fake.address,
            "cities": fake.city,
            "domains": fake.domain_name,
        }
        for name, draw in draws.items():
            drawn[name] += [", ".join(str(draw()).splitlines()) for _ in range(PER_LOCALE)]
    return Pools(**{name: tuple(value for value in values if allowed(value)) for name, values in drawn.items()})


def invent(pools: Pools, random: Random, *, sex: str, age: float) -> tuple[Identity, str]:
    """Return the identifiers of one note, entity and value by slot, and the visit's date in ISO 8601.

    Entities are named as Presidio names them; all dates of a note share a format.
    """
    first, surname = random.choice(pools.women if sex == "female" else pools.men), random.choice(pools.surnames)
    doctor_first, doctor = random.choice(pools.women + pools.men), random.choice(pools.surnames)
    visit = datetime.date(2014, 1, 1) + datetime.timedelta(days=random.randrange(4000))
    born = visit - datetime.timedelta(days=round(age * 365.25) + random.randrange(25, 300 if age >= 2 else 28))
    earlier = visit - datetime.timedelta(days=random.randrange(7, 400))
    later = visit + datetime.timedelta(days=random.randrange(14, 200))
    admitted = visit - datetime.timedelta(days=random.randrange(1, 15))
    form = random.choice(DATES)
    dates = {"visit": visit, "born": born, "admitted": admitted, "earlier": earlier, "later": later}
    city = random.choice(pools.cities)
    values = {
        "patient": ("PERSON", f"{first} {surname}"),
        "patient_listed": ("PERSON", random.choice((f"{surname}, {first}", f"{surname.upper()}, {first}"))),
        "first": ("PERSON", first),
        "surname": ("PERSON", surname),
        "relative": ("PERSON", f"{random.choice(pools.women + pools.men)} {surname}"),
        "doctor": ("PERSON", random.choice((f"{doctor_first} {doctor}", f"{doctor_first[0]}. {doctor}", doctor))),
        "referrer": ("PERSON", random.choice(pools.surnames)),
        "mrn": ("MEDICAL_RECORD_NUMBER", _digits(random.choice(RECORD_NUMBERS), random)),
        "ssn": ("US_SSN", f"{random.randrange(100, 666)}-{random.randrange(10, 99)}-{random.randrange(1000, 9999)}"),
        "phone": ("PHONE_NUMBER", _digits(random.choice(PHONES), random)),
        "fax": ("PHONE_NUMBER", _digits(random.choice(PHONES), random)),
        "email": ("EMAIL_ADDRESS", f"{_ascii(first)}.{_ascii(surname)}@{random.choice(pools.domains)}"),
        "portal": ("URL", f"https://portal.{random.choice(pools.domains)}/p/{random.randrange(10**6, 10**7)}"),
        "address": ("LOCATION", random.choice(pools.addresses)),
        "city": ("LOCATION", city),
        "hospital": ("ORGANIZATION", random.choice(HOSPITALS).format(random.choice((city, doctor)))),
    }
    return values | {slot: ("DATE_TIME", date.strftime(form)) for slot, date in dates.items()}, visit.isoformat()


def _digits(form: str, random: Random) -> str:
    """Fill "{3}-{4}" with as many digits; the first of each run is not 0."""
    parts = form.replace("}", "{").split("{")
    return "".join(
        str(random.randrange(10 ** (int(part) - 1), 10 ** int(part))) if position % 2 else part
        for position, part in enumerate(parts)
    )


def _ascii(name: str) -> str:
    import unicodedata

    plain = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l")).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain if letter.isalnum())
