"""Diagnoses as the texts could name them: names, codes and the ontology in, what to look for in a text's words out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PUNCTUATION = str.maketrans(dict.fromkeys("!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~\u2018\u2019\u201c\u201d\u2013\u2014", " "))
SUBTYPE = re.compile(r" (?:type \w+|\d+[a-z]?)$")  # Neurofibromatosis type 1, Noonan syndrome 2
ENDING = re.compile(r"(?:[st]is|e?s|y|e)$")  # psoriasis and psoriatic, diabetes and diabetic, allergies and allergic
SHORTEST_STEM = 5  # characters; fewer begin other words
ACRONYM = re.compile(r"\(([A-Z][A-Z\d]{2,})\)")  # Charcot-Marie-Tooth syndrome type 1A (CMT1A)
SHORTEST_ACRONYM = 3
SMALL_WORDS = frozenset(["and", "by", "due", "in", "of", "or", "the", "to", "with", "without"])


class Terminology(NamedTuple):
    """What the ontology calls findings and diseases: words of any text, names of findings, names by disease's code."""

    words: frozenset[str]
    findings: frozenset[str]
    diseases: Mapping[str, tuple[str, ...]]


class Label(NamedTuple):
    """A diagnosis: its number, its words, what a text that names it holds, and what looks like PHI in its name."""

    number: int
    words: str
    names: tuple[str, ...]
    phi_hits: int


def read_terminology(folder: Path) -> Terminology:
    """Read hp.obo and phenotype.hpoa below `folder`; raise StageError where one is missing."""
    from stages.lib.phi.lexicon import read_ontology

    words = read_ontology(folder).words
    labels = re.findall(r'(?m)^(?:name: |synonym: ")([^"\n]+)', (folder / "hp.obo").read_text(encoding="utf-8"))
    lines = re.findall(r"(?m)^(\w+:\w+)\t([^\t\n]+)", (folder / "phenotype.hpoa").read_text(encoding="utf-8"))
    diseases: dict[str, tuple[str, ...]] = {}
    for code, name in dict.fromkeys(lines):
        diseases[code] = (*diseases.get(code, ()), name)
    return Terminology(words, frozenset(" ".join(tokens(label)) for label in labels), diseases)


def read_diagnoses(path: Path) -> dict[str, list[str]]:
    """Return the codes by diagnosis of a file of records, in its order."""
    import pyarrow.parquet as pq

    pairs = pq.read_table(path, columns=["diagnosis", "diagnosis_code"])
    found: dict[str, list[str]] = {}
    for pair in pairs.group_by(pairs.column_names, use_threads=False).aggregate([]).to_pylist():
        codes = found.setdefault((pair["diagnosis"] or "").strip(), [])
        codes += [pair["diagnosis_code"]] if pair["diagnosis_code"] else []
    found.pop("", None)
    return found


def number_labels(diagnoses: Mapping[str, Iterable[str]], terminology: Terminology) -> dict[str, Label]:
    """Return the label of each diagnosis, given with its codes, numbered from 0 in the order given."""
    from stages.lib.phi.hits import compiled, count_hits

    labels = {}
    for number, (diagnosis, codes) in enumerate(diagnoses.items()):
        others = [name for code in codes for name in terminology.diseases.get(code, ())]
        found = [name for called in (diagnosis, *others) for name in _names(called, terminology)]
        names = tuple(dict.fromkeys(form for name in found for form in (name, _unaccented(name))))
        labels[diagnosis] = Label(number, " ".join(tokens(diagnosis)), names, count_hits(diagnosis, compiled()))
    return labels


def tokens(text: str) -> list[str]:
    """Return the words of a text without case and punctuation; placeholders count as words."""
    return text.casefold().translate(PUNCTUATION).split()


def _names(diagnosis: str, terminology: Terminology) -> Iterator[str]:
    """Yield what tells of a diagnosis among spaced words: " fabry " is a word, " psoria" what a word begins with.

    These are its name; parts of it, unless they name a finding too; acronyms; and words that the ontology lacks.
    """
    words = tokens(diagnosis)
    parts = [part for part in _parts(diagnosis) if part and part not in terminology.findings]
    yield from map(_stemmed, (" ".join(words), *parts))
    initials = ("".join(word[0] for word in part.split() if word not in SMALL_WORDS) for part in parts)
    for acronym in (*map(str.casefold, ACRONYM.findall(diagnosis)), *initials):
        if len(acronym) >= SHORTEST_ACRONYM and acronym not in terminology.words:
            yield f" {acronym} "
    for word in words:
        if len(word) > SHORTEST_ACRONYM and word.isalpha() and word not in terminology.words:
            yield f" {word} "


def _parts(diagnosis: str) -> Iterator[str]:
    """Yield names within a name: without brackets and subtypes, about semicolons, and with its commas resolved.

    OMIM's "Anemia, sideroblastic, 4" is also sideroblastic anemia.
    """
    for name in re.split(r";| / ", re.sub(r"\([^()]*\)", " ", diagnosis)):
        head, *rest = (SUBTYPE.sub("", f" {' '.join(tokens(part))}").strip() for part in name.split(","))
        yield from (" ".join(filter(None, [head, *rest])), " ".join(filter(None, [*rest, head])))


def _stemmed(name: str) -> str:
    """Return a name as found with any ending of its last word, or as a whole where other words begin like its stem."""
    stem = ENDING.sub("", name)
    last = stem.rpartition(" ")[2]
    return f" {stem}" if last.isalpha() and len(last) >= 3 and len(stem) >= SHORTEST_STEM else f" {name} "


def _unaccented(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
