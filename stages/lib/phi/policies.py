"""Policies: what becomes of each entity, read from policies.yaml, and how a patient's texts are rewritten by one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from stages.lib.phi.ages import number_in
from stages.lib.phi.redaction import Document, Replacement, render
from stages.lib.phi.shift import is_day_first
from stages.lib.phi.spans import ENTITIES, Span, outside, placeholders
from stages.lib.phi.surrogates import Surrogates
from stages.lib.stage import StageError

FILE = Path(__file__).with_name("policies.yaml")
Policy = Literal["redact", "surrogate", "safe_harbor_strict"]
OPERATORS = ("placeholder", "fake", "shift", "year", "zip3", "over_89")
# Three-digit ZIP areas of at most 20,000 people, which 45 CFR 164.514(b)(2)(i)(B) turns to 000: the 17 of the census of
# 2000 in the Office for Civil Rights' Guidance Regarding Methods for De-identification of PHI (2012), and six that came
# to them with the census of 2010. One that has grown since stays, for 000 is never wrong.
SMALL_ZIP_AREAS = (
    *("036", "059", "063", "102", "202", "203", "204", "205", "369", "556", "692", "753", "772", "790", "821"),
    *("823", "830", "831", "878", "879", "884", "890", "893"),
)
# Other countries' codes have five digits too, and theirs may not stay: a ZIP code is behind a state or so called
ZIP = re.compile(
    r"\b(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|"
    r"W[AIVY])[.,]?\s+(\d{3})\d\d(?:-\d{4})?\b"
)
CALLED_ZIP = re.compile(r"\bzip(?: ?code)?[\s:#-]*(?:is )?$", re.IGNORECASE)
YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
BORN = re.compile(
    r"\b(?:born|birth|dob|d\.o\.b\.|b\.)\W{0,3}(?:(?:in|year|is|was)\W{1,2}){0,2}((?:18|19|20)\d\d)\b", re.I
)
UNKNOWN_YEAR = 2020  # for a date without a year, of a patient whose notes hold none


class Patient(NamedTuple):
    """The texts of one patient with the dates of their records, if they have any (ISO 8601)."""

    patient_id: str
    texts: list[str]
    dates: list[str | None]

    def latest_year(self) -> int:
        """Return the latest year of the records, else of the texts."""
        dated = [int(date[:4]) for date in self.dates if date and date[:4].isdigit()]
        written = [int(year) for text in self.texts for year in YEAR.findall(text)]
        return max(dated or written or [UNKNOWN_YEAR])


def read_policy(policy: Policy, path: Path = FILE) -> dict[str, str]:
    """Return the operator of each entity; raise StageError where the file lacks one or has one that does not exist."""
    import yaml

    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict) or set(table) != set(ENTITIES):
        raise StageError(f"{path.name}: must have a line for each of {', '.join(ENTITIES)}, and no other")
    for entity, row in table.items():
        if set(row) != set(get_args(Policy)) or not set(row.values()) <= set(OPERATORS):
            raise StageError(
                f"{path.name}: {entity}: must give each of {', '.join(get_args(Policy))} one of {', '.join(OPERATORS)}"
            )
    return {entity: row[policy] for entity, row in table.items()}


def version(folder: Path = FILE.parent) -> str:
    """Return 12 hexadecimal digits that change with the code and the tables of `folder`: recognizers, safeguards, all.

    What else decides, the models and the parameters, stands in dvc.lock.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".yaml"}:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def rewritten(
    patient: Patient, found: Sequence[list[Span]], operators: Mapping[str, str], surrogates: Surrogates | None
) -> list[tuple[str, list[Span]]]:
    """Return the patient's texts with what stands for the spans `found` in them, and all spans replaced.

    These are more than those found where a year of birth goes that tells an age over 89.
    """
    latest = patient.latest_year()
    documents = [
        Document(text, _with_old_years(text, spans, latest)) for text, spans in zip(patient.texts, found, strict=True)
    ]
    dates = [text[span.start : span.end] for text, spans in documents for span in spans if span.entity == "DATE_TIME"]
    replacement = _replacement(operators, surrogates, latest=latest, day_first=is_day_first(dates))
    return [(new.text, old.spans) for new, old in zip(render(documents, replacement), documents, strict=True)]


def record_date(date: str | None, surrogates: Surrogates | None) -> str | None:
    """Return the year of a record's date (ISO 8601), moved by the patient's offset where there are surrogates."""
    if not date or not date[:4].isdigit():
        return None
    if surrogates:  # of a mere year, the middle moves
        moved = surrogates.shifted(date if date[4:] else f"{date}-07", year=int(date[:4]), day_first=False)
        return moved and moved[:4]
    return date[:4]


def _replacement(
    operators: Mapping[str, str], surrogates: Surrogates | None, *, latest: int, day_first: bool
) -> Replacement:
    def replaced(text: str, span: Span, placeholder: Callable[[], str]) -> str:
        value, operator = text[span.start : span.end], operators[span.entity]
        made: str | None = None
        if operator == "fake" and surrogates:
            made = surrogates.fake(span.entity, value)
        elif operator == "shift" and surrogates:
            made = surrogates.shifted(value, year=latest, day_first=day_first)
        elif operator == "year":
            made = _year(value, latest)
        elif operator == "over_89":
            made = _over_89(value, text[span.end :])
        elif operator == "zip3":
            made = _zip3(text, span, placeholder)
        return placeholder() if made is None else made

    return replaced


def _with_old_years(text: str, spans: list[Span], latest: int) -> list[Span]:
    """Return `spans` and the years of birth that tell an age over 89, 45 CFR 164.514(b)(2)(i)(C)."""
    taken = sorted([*placeholders(text), *(span[:2] for span in spans)])
    born = (
        Span(*match.span(1), "DATE_TIME", "year of birth")
        for match in BORN.finditer(text)
        if latest - int(match[1]) >= 90
    )
    return sorted([*spans, *outside(born, taken)])


def _over_89(phrase: str, after: str) -> str:
    start, end = number_in(phrase)
    number = "90" if (phrase[end:] + after[:1]).startswith("+") else "90+"
    return phrase[:start] + number + phrase[end:]


def _year(date: str, latest: int) -> str | None:
    years = YEAR.findall(date)
    return years[-1] if years and latest - int(years[-1]) < 90 else None


def _zip3(text: str, span: Span, placeholder: Callable[[], str]) -> str | None:
    value = text[span.start : span.end]
    codes = ZIP.findall(value)
    if not codes and re.fullmatch(r"\d{5}(?:-\d{4})?", value) and CALLED_ZIP.search(text[: span.start]):
        codes = [value[:3]]
    return f"{placeholder()} {'000' if codes[-1] in SMALL_ZIP_AREAS else codes[-1]}" if codes else None
