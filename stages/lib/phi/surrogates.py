"""Fakes of the same kind as what they replace, one map per patient, under a secret key."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from stages.lib.phi.shift import shifted
from stages.lib.phi.spans import TITLES

if TYPE_CHECKING:
    from faker import Faker

TRIES = 200
WEEKS = 104  # a date moves by at most two years; whole weeks, so that weekdays stay true
PART = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d+")
ZIP = re.compile(r"\d{5}(?:-\d{4})?")
SSN = re.compile(r"\d{3}([- ]?)\d{2}\1\d{4}")
CARE = re.compile(
    r"\b(?:hospital|medical cent(?:er|re)|clinic|infirmary|health cent(?:er|re)|surgery|practice)\b", re.IGNORECASE
)
NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


class Surrogates:
    """The fakes of one patient: a value has one, two values never share one, and none stands in the patient's texts.

    What is faked depends on the key, the patient and the value alone, but where a candidate is refused; so the same
    notes give the same fakes. Telephone numbers, addresses of e-mail, web and IP, and social security numbers come from
    ranges that are given to nobody.
    """

    def __init__(self, key: hmac.HMAC, patient: str, texts: Sequence[str], *, is_word: Callable[[str], bool]) -> None:
        self.key = key
        self.patient = patient
        self.is_word = is_word
        self.texts = "\n".join(texts).casefold()
        self.fakes: dict[tuple[str, str], str | None] = {}
        self.taken: set[str] = set()

    def fake(self, entity: str, value: str) -> str | None:
        """Return the fake of a value, or None where none was found that may stand for it."""
        if entity != "PERSON":
            return self._chosen(entity, " ".join(value.split()))
        words = PART.findall(value)
        fakes = {word: word if word.casefold() in TITLES else self._part(word) for word in words}
        if not words or None in fakes.values():
            return None
        return PART.sub(lambda match: str(fakes[match.group()]), value)

    def _part(self, word: str) -> str | None:
        """Return the fake of a word of a name, or of a number beside it, in the same case."""
        part = self._chosen("PERSON" if word[0].isalpha() else "ID", word)
        return part and (part.upper() if word.isupper() else part.lower() if word.islower() else part)

    def shifted(self, value: str, *, year: int, day_first: bool) -> str | None:
        """Return a date moved by the patient's offset; None where it can't be read, or comes to stand as before."""
        moved = shifted(value, days=self.days(), year=year, day_first=day_first)
        return None if moved == value else moved

    def days(self) -> int:
        """Return the patient's offset: 1 to WEEKS whole weeks, back or forth."""
        return (random := self._random("shift", "", 0)).choice((-7, 7)) * random.randint(1, WEEKS)

    def _chosen(self, entity: str, value: str) -> str | None:
        """Return the value's fake, the first candidate that may stand for it."""
        place = entity, value.casefold()
        if place not in self.fakes:
            self.fakes[place] = next(
                (fake for fake in self._candidates(entity, value) if self._may_stand(fake, entity, value)), None
            )
            self.taken.add((self.fakes[place] or "").casefold())
        return self.fakes[place]

    def _may_stand(self, fake: str, entity: str, value: str) -> bool:
        """Say whether no other value has this fake, and the patient's texts do not hold it; of a name, whether no
        vocabulary does. An initial must only differ: every letter is in the texts.
        """
        folded = fake.casefold()
        if len(fake) == 1:
            return folded != value.casefold()
        free = folded not in self.texts and folded not in self.taken
        return free and not (entity == "PERSON" and self.is_word(fake))

    def _candidates(self, entity: str, value: str) -> Iterator[str]:
        kind = KINDS.get(entity, number)
        for attempt in range(TRIES):
            random = self._random(entity, value.casefold(), attempt)
            faker = _faker()
            faker.seed_instance(random.getrandbits(64))
            yield kind(value, random, faker)

    def _random(self, entity: str, value: str, attempt: int) -> Random:
        keyed = self.key.copy()
        keyed.update("\x1f".join((self.patient, entity, value, str(attempt))).encode("utf-8", "surrogatepass"))
        return Random(int.from_bytes(keyed.digest(), "big"))


def name(value: str, random: Random, faker: Faker) -> str:
    """Fake a word of a name: a woman's or man's first name by one, an initial by one, else a surname."""
    if len(value) == 1:
        return random.choice("ABCDEFGHJKLMNPRSTVW")
    women, men = _first_names()
    if value.title() in women:
        return str(faker.first_name_female())
    return str(faker.first_name_male() if value.title() in men else faker.last_name())


def place(value: str, _random: Random, faker: Faker) -> str:
    """Fake a ZIP code, an address if there is a number in it, or a town."""
    if ZIP.fullmatch(value):
        return str(faker.postcode())
    if not any(map(str.isdigit, value)):
        return str(faker.city())
    street = str(faker.street_address())
    return f"{street}, {faker.city()}, {faker.state_abbr()} {faker.postcode()}" if "," in value else street


def organization(value: str, _random: Random, faker: Faker) -> str:
    """Fake a place of care or a company."""
    care = CARE.search(value)
    return f"{faker.last_name()} {care.group().title()}" if care else str(faker.company())


def phone(value: str, random: Random, _faker: Faker) -> str:
    """Fake a telephone number by one of the hundred that each North American area keeps for fiction."""
    if sum(map(str.isdigit, value)) < 7:
        return number(value, random, _faker)
    return f"{random.randint(201, 989)}-555-01{random.randint(0, 99):02}"


def email(_value: str, random: Random, faker: Faker) -> str:
    """Fake an e-mail address, of a domain for documentation (RFC 2606)."""
    return f"{faker.first_name()}.{faker.last_name()}{random.randint(1, 99)}@example.org".lower()


def url(_value: str, random: Random, _faker: Faker) -> str:
    """Fake a web address, of a domain for documentation (RFC 2606)."""
    return f"https://www.example.org/{random.randint(1000, 999_999)}"


def ip(value: str, random: Random, _faker: Faker) -> str:
    """Fake an IP or MAC address, of those for documentation (RFC 5737, 3849, 7042)."""
    if re.fullmatch(r"(?:[\da-f]{2}[:-]){5}[\da-f]{2}", value, re.IGNORECASE):
        return f"00:00:5e:00:53:{random.randrange(256):02x}"
    if ":" in value:
        return str(ipaddress.IPv6Address(0x20010DB8 << 96 | random.getrandbits(64)))
    return f"{random.choice(NETWORKS)}.{random.randint(1, 254)}"


def photo(value: str, random: Random, _faker: Faker) -> str:
    """Fake the name of a picture; its ending stays."""
    return f"photo_{random.randint(1000, 99_999)}{''.join(re.findall(r'[.][A-Za-z]{3,4}$', value))}"


def number(value: str, random: Random, _faker: Faker) -> str:
    """Fake an identifier in its own format, a digit by a digit and a letter by a letter.

    A social security number begins with 666, as none that was ever given.
    """
    signs = {"0": "0123456789", "a": "abcdefghjkmnpqrstuvwxyz", "A": "ABCDEFGHJKMNPQRSTUVWXYZ"}

    def other(sign: str) -> str:
        kind = "0" if sign.isdigit() else "A" if sign.isupper() else "a" if sign.isalpha() else sign
        return random.choice(signs.get(kind, sign))

    fake = "".join(map(other, value))
    return f"666{fake[3:]}" if SSN.fullmatch(value) else fake


KINDS: dict[str, Callable[[str, Random, Faker], str]] = {
    "PERSON": name,
    "LOCATION": place,
    "ORGANIZATION": organization,
    "PHONE_NUMBER": phone,
    "EMAIL_ADDRESS": email,
    "URL": url,
    "IP_ADDRESS": ip,
    "PHOTO": photo,
}


@cache
def _faker() -> Faker:
    from faker import Faker

    return Faker("en_US")


@cache
def _first_names() -> tuple[frozenset[str], frozenset[str]]:
    from faker.providers.person.en_US import Provider

    return frozenset(Provider.first_names_female), frozenset(Provider.first_names_male)
