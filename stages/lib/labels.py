"""Diagnoses as the texts could name them: names in, their words out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

PUNCTUATION = str.maketrans(dict.fromkeys("!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~\u2018\u2019\u201c\u201d\u2013\u2014", " "))


class Label(NamedTuple):
    """A diagnosis: its number, its words, what a text that names it holds, and what looks like PHI in its name."""

    number: int
    words: str
    names: tuple[str, ...]
    phi_hits: int


class Labels:
    """Diagnoses by name, numbered from 0: those of the accepted data first, then as they come."""

    def __init__(self, accepted: Iterable[str], *, ontology: frozenset[str]) -> None:
        self.ontology = ontology
        self.known: dict[str, Label] = {}
        for diagnosis in accepted:
            self[diagnosis]

    def __getitem__(self, diagnosis: str) -> Label:
        """Return the label of a diagnosis, named by all of its words or by one that the ontology lacks: Fabry."""
        if diagnosis not in self.known:
            from stages.lib.phi.hits import compiled, count_hits

            words = tokens(diagnosis)
            own = [word for word in words if len(word) > 3 and word.isalpha() and word not in self.ontology]
            names = tuple(f" {name} " for name in dict.fromkeys([" ".join(words), *own]))
            hits = count_hits(diagnosis, compiled())
            self.known[diagnosis] = Label(len(self.known), " ".join(words), names, hits)
        return self.known[diagnosis]


def tokens(text: str) -> list[str]:
    """Return the words of a text without case and punctuation; placeholders count as words."""
    return text.casefold().translate(PUNCTUATION).split()
