"""Read the Human Phenotype Ontology: terms with their wordings from hp.obo, annotations from phenotype.hpoa."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.stage import StageError, log

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
UNSTATED = CLASSES["HP:0040282"]
# What stands in ontologies and in no note.
ODD = re.compile(
    r"[,;:/()\[\]\\]|\b(?:morphology|physiology|homeostasis|abnormality|abnormalities|abnormally|phenotype|symptom|"
    r"\w+ of the|are|is|has|have|cannot|bruise|tired|retard\w+)\b|rotated$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Term:
    """A phenotype: its label, its parents' ids, and its wordings, as they read inside a sentence.

    `clinical` and `lay` are exact synonyms, `short` abbreviations that no other term shares.
    """

    label: str
    parents: tuple[str, ...]
    clinical: tuple[str, ...]
    lay: tuple[str, ...]
    short: tuple[str, ...]


def read_terms(path: Path) -> dict[str, Term]:
    """Return HPO's current terms by id; only exact synonyms count as wordings.

    Raises StageError where the file is missing or holds no terms.
    """
    terms = dict(_terms(_text(path)))
    if not terms:
        raise StageError(f"{path}: holds no [Term]; run `dvc repro fetch` to bring it again")
    return terms


def read_annotations(path: Path, *, without: Collection[str] = ()) -> pd.DataFrame:
    """Return disease, name, term and frequency (0 to 1) of every phenotype annotation.

    Rows that cite a publication of `without` (PMID:123) are dropped, and how many of each disease is logged: the
    frequencies of phenotype.hpoa come from published patients, who must not stand on both sides of a comparison.
    Annotations qualified NOT are left out. Counts of patients (n/m) of several publications are added up; other
    frequencies are averaged. Raises StageError where the file is missing or has other columns.
    """
    table = read_rows(path)
    table = table[(table["aspect"] == "P") & (table["qualifier"] != "NOT")]
    if without:
        table = _not_citing(table, frozenset(without))
    affected, examined = zip(*table["frequency"].map(_counts), strict=True) if len(table) else ((), ())
    values = {text: frequency(text) for text in table["frequency"].unique()}
    table = table.assign(frequency=table["frequency"].map(values), affected=affected, examined=examined)
    pooled = table.groupby(["disease", "name", "term"], as_index=False).agg(
        frequency=("frequency", "mean"), affected=("affected", "sum"), examined=("examined", "sum")
    )
    counted = pooled["examined"] > 0
    pooled.loc[counted, "frequency"] = (pooled["affected"] / pooled["examined"])[counted]
    return pooled[["disease", "name", "term", "frequency"]]


def read_rows(path: Path) -> pd.DataFrame:
    """Return the rows of phenotype.hpoa as strings: disease, name, qualifier, term, reference, frequency, aspect."""
    import pandas as pd

    columns = {"database_id": "disease", "disease_name": "name", "hpo_id": "term"}
    used = [*columns, "qualifier", "reference", "frequency", "aspect"]
    if not path.is_file():
        raise StageError(f"{path}: missing; run `dvc repro fetch` to bring it")
    try:
        table = pd.read_csv(path, sep="\t", comment="#", usecols=used, dtype=str, keep_default_na=False)
    except ValueError as error:  # pandas raises it for a missing column, an empty file, a broken row, wrong bytes
        raise StageError(f"{path}: is not a phenotype.hpoa: {' '.join(str(error).split())}") from None
    return table.rename(columns=columns)


def _not_citing(table: pd.DataFrame, publications: frozenset[str]) -> pd.DataFrame:
    cited = table["reference"].map(lambda text: not publications.isdisjoint(re.split(r"[;|]", text)))
    rows, lost = table.groupby("disease").size(), table[cited].groupby("disease").size()
    shares = ", ".join(f"{disease} {count}/{rows[str(disease)]}" for disease, count in lost.items())
    log.info("annotations that cite the cases' publications, dropped: %s rows (%s)", f"{cited.sum():,}", shares)
    return table[~cited]


def _counts(text: str) -> tuple[int, int]:
    """Return affected and examined patients of a fraction, else zeros."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    return (int(match[1]), int(match[2])) if match and int(match[1]) <= int(match[2]) else (0, 0)


def frequency(text: str) -> float:
    """Return an annotated frequency as a share: an HPO class's midpoint, a fraction or a percentage.

    Where it is not stated, or can't be, it counts as frequent: curators annotate what patients usually have.
    """
    if text in CLASSES:
        return CLASSES[text]
    if match := re.fullmatch(r"(\d+)/(\d+)", text):
        affected, examined = int(match[1]), int(match[2])
        return affected / examined if affected <= examined and examined else UNSTATED
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
        return float(match[1]) / 100 if float(match[1]) <= 100 else UNSTATED
    return UNSTATED


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StageError(f"{path}: missing; run `dvc repro fetch` to bring it") from None
    except UnicodeDecodeError:
        raise StageError(f"{path}: is not text; run `dvc repro fetch` to bring it again") from None


def _terms(text: str) -> Iterator[tuple[str, Term]]:
    lower = set(re.findall(r"\b[a-z]+\b", "\n".join(re.findall(r"(?m)^(?:name|def|comment|synonym): (.+)$", text))))
    shared = Counter(re.findall(r'(?m)^synonym: "(.+)" EXACT abbreviation', text))
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
        short = tuple(
            text for found in synonyms if found["kind"] == "abbreviation" and shared[text := found["text"]] == 1
        )
        parents = tuple(value.split(" ", 1)[0] for value in fields.get("is_a", []))
        yield (
            fields["id"][0],
            Term(
                _inside(fields["name"][0], lower=lower),
                parents,
                _wordings(clinical, lower=lower),
                tuple(
                    re.sub(r"\b[A-Z][a-z]+", lambda word: word[0].lower(), text) for text in _wordings(lay, lower=lower)
                ),
                short,
            ),
        )


def _wordings(texts: list[str], *, lower: set[str]) -> tuple[str, ...]:
    """Return those that read well inside a sentence: at most seven words, nothing odd."""
    turned = [re.sub(r"^([^,]+), (\w+)$", r"\2 \1", text) for text in texts]  # "Seizure, febrile" is "febrile seizure"
    fit = [text for text in turned if len(text.split()) <= 7 and not ODD.search(text)]
    return tuple(dict.fromkeys(_inside(text, lower=lower) for text in fit))


def _inside(text: str, *, lower: set[str]) -> str:
    """Lower the capitals of words that are no eponyms and no abbreviations."""
    parts = text.split()
    return " ".join(part.lower() if _ordinary(part, alone=len(parts) == 1, lower=lower) else part for part in parts)


def _ordinary(part: str, *, alone: bool, lower: set[str]) -> bool:
    """Say whether a word may lose its capital: it stands in lower case elsewhere, ends as no name does, or is alone.

    A label of one word is no eponym, for these need the name of a sign beside them.
    """
    pieces = re.findall(r"[^\W\d_]+", part.lower())
    known = (
        alone or lower.issuperset(pieces) or bool(re.search(r"(?:ed|ia|is|ity|oma|uria|ism|al|ic|ous|io|ca)$", part))
    )
    return part[1:].islower() and known and len(pieces[0]) > 1
