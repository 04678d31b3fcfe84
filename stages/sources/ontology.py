"""Read the Human Phenotype Ontology: terms with their wordings from hp.obo, annotations from phenotype.hpoa."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.stage import StageError

if TYPE_CHECKING:
    import pandas as pd

SYNONYM = re.compile(r'"(?P<text>.+)" EXACT (?P<kind>[\w:]*)')
# The midpoints of HPO's classes: obligate 100 %, very frequent 80-99 %, frequent 30-79 %, occasional 5-29 %,
# very rare 1-4 %, excluded 0 %.
CLASSES = {
    "HP:0040280": 1.0,
    "HP:0040281": 0.895,
    "HP:0040282": 0.545,
    "HP:0040283": 0.17,
    "HP:0040284": 0.025,
    "HP:0040285": 0.0,
}


@dataclass(frozen=True)
class Term:
    """A phenotype: its label, its parents' ids, and its wordings, as they read inside a sentence."""

    label: str
    parents: tuple[str, ...]
    clinical: tuple[str, ...]
    lay: tuple[str, ...]


def read_terms(path: Path) -> dict[str, Term]:
    """Return HPO's current terms by id; only exact synonyms count as wordings.

    Raises StageError where the file is missing or holds no terms.
    """
    terms = dict(_terms(_text(path)))
    if not terms:
        raise StageError(f"{path}: holds no [Term]; run `dvc repro fetch` to bring it again")
    return terms


def read_annotations(path: Path) -> pd.DataFrame:
    """Return disease, name, term and frequency (0 to 1) of every phenotype annotation with a known frequency.

    Annotations qualified NOT are left out; a term annotated twice has its mean frequency. Raises StageError where the
    file is missing or has other columns.
    """
    import pandas as pd

    columns = {"database_id": "disease", "disease_name": "name", "hpo_id": "term"}
    used = [*columns, "qualifier", "frequency", "aspect"]
    if not path.is_file():
        raise StageError(f"{path}: missing; run `dvc repro fetch` to bring it")
    try:
        table = pd.read_csv(path, sep="\t", comment="#", usecols=used, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas raises it for a missing column, an empty file, a broken row, wrong bytes
        raise StageError(f"{path}: is not a phenotype.hpoa: {' '.join(str(error).split())}") from None
    table = table[(table["aspect"] == "P") & (table["qualifier"] != "NOT")]
    values = {text: frequency(text) for text in table["frequency"].unique()}
    table = table.assign(frequency=table["frequency"].map(values).astype("float64")).rename(columns=columns)
    table = table.dropna(subset="frequency")
    mean: pd.DataFrame = table.groupby(["disease", "name", "term"])["frequency"].mean().reset_index()
    return mean


def frequency(text: str) -> float | None:
    """Return an annotated frequency as a share: an HPO class's midpoint, a fraction or a percentage; else None."""
    if text in CLASSES:
        return CLASSES[text]
    if match := re.fullmatch(r"(\d+)/(\d+)", text):
        affected, examined = int(match[1]), int(match[2])
        return affected / examined if affected <= examined and examined else None
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
        return float(match[1]) / 100 if float(match[1]) <= 100 else None
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StageError(f"{path}: missing; run `dvc repro fetch` to bring it") from None
    except UnicodeDecodeError:
        raise StageError(f"{path}: is not text; run `dvc repro fetch` to bring it again") from None


def _terms(text: str) -> Iterator[tuple[str, Term]]:
    # A word that stands somewhere in lower case is no eponym: it may lose its capital inside a sentence.
    prose = "\n".join(re.findall(r"(?m)^(?:name|def|comment|synonym): (.+)$", text))
    words = set(re.findall(r"\b[a-z]+\b", prose))
    for block in f"\n{text}".split("\n[Term]\n")[1:]:
        fields: dict[str, list[str]] = {}
        for line in block.split("\n\n[", 1)[0].splitlines():
            key, _, value = line.partition(": ")
            fields.setdefault(key, []).append(value)
        if "is_obsolete" in fields or "name" not in fields:
            continue
        synonyms = [match for value in fields.get("synonym", []) if (match := SYNONYM.match(value))]
        clinical = [fields["name"][0], *(found["text"] for found in synonyms if found["kind"] == "")]
        lay = [found["text"] for found in synonyms if found["kind"] == "layperson"]
        parents = tuple(value.split(" ", 1)[0] for value in fields.get("is_a", []))
        yield (
            fields["id"][0],
            Term(
                _inside(fields["name"][0], words=words),
                parents,
                _wordings(clinical, words=words),
                _wordings(lay, words=words),
            ),
        )


def _wordings(texts: list[str], *, words: set[str]) -> tuple[str, ...]:
    """Return those that read well inside a sentence: at most seven words, no brackets, no comma."""
    turned = [re.sub(r"^([^,]+), (\w+)$", r"\2 \1", text) for text in texts]  # "Seizure, febrile" is "febrile seizure"
    fit = [text for text in turned if len(text.split()) <= 7 and not re.search(r"[,;:()\[\]\\]", text)]
    return tuple(dict.fromkeys(_inside(text, words=words) for text in fit))


def _inside(text: str, *, words: set[str]) -> str:
    """Lower the capitals of words that are no eponyms and no abbreviations."""
    return " ".join(part.lower() if _ordinary(part, words=words) else part for part in text.split())


def _ordinary(part: str, *, words: set[str]) -> bool:
    pieces = re.findall(r"[^\W\d_]+", part.lower())
    known = words.issuperset(pieces) or bool(re.search(r"(?:ed|ia|is|ity|oma|uria|ism)$", part))
    return part[1:].islower() and known and len(pieces[0]) > 1
