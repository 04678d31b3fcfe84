"""The findings that can be told of a patient: terms below organ systems, whom they fit, and in which words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.phenotypes.ontology import Term, read_terms

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ROOT = "HP:0000118"  # Phenotypic abnormality
# Findings of the reproductive system, which the other sex can't have.
ONE_SEX = {
    "male": ("HP:0010461", "HP:0012874", "HP:0033019"),
    "female": ("HP:0010460", "HP:0030012", "HP:0033020"),
}
# Ages in years, half-open, at which a finding and what is below it can be told.
AGES = {
    "HP:0000140": (12, 120),  # menstrual cycle
    "HP:0000144": (18, 120),  # fertility
    "HP:0000789": (18, 120),  # infertility
    "HP:0000802": (18, 120),  # impotence
    "HP:0030014": (18, 120),  # sexual function
    "HP:0008209": (18, 120),  # ovarian failure
    "HP:0001197": (0, 6),  # prenatal development, birth
    "HP:0001518": (0, 6),  # small for gestational age
    "HP:0012531": (2, 120),  # pain
    "HP:0001270": (0, 18),  # motor milestones
    "HP:0001510": (0, 18),  # growth
    "HP:0001508": (0, 6),  # failure to thrive
    "HP:0012758": (0, 18),  # development
    "HP:0000823": (12, 24),  # delayed puberty
    "HP:0001288": (2, 120),  # gait
    "HP:0002167": (2, 120),  # speech
    "HP:0000708": (2, 120),  # behaviour
    "HP:0100543": (4, 120),  # cognition
    "HP:0003401": (4, 120),  # paraesthesia
    "HP:0002315": (4, 120),  # headache
    "HP:0000164": (1, 120),  # teeth
    "HP:0002758": (12, 120),  # osteoarthritis
}
GENERIC = frozenset({"disease", "syndrome", "type", "with"})  # words that give no diagnosis away
UNSEEN = 0.5  # rare diseases that have a term in truth, where none is annotated with it
COMMON = 15  # labels of HPO in which a word stands that is needed to describe findings

LACKING = re.compile(r"\b(?:absent|absence|lack|inability|unable|decreased|reduced|without)\b")  # nobody denies a lack

Wordings = Mapping[str, Sequence[str]]
"""Texts for one term by kind: label, clinical, lay, short (abbreviations among clinical ones)."""


@dataclass(frozen=True)
class Phenome:
    """The findings that a note can tell.

    `terms` holds their ids in a fixed order; `prevalence`, of the same length and summing to 1, how often each is
    annotated to a rare disease; `asked`, by its square, how often a clinician asks for it; `wordings` the
    texts for each; `ages` the half-open span of years, (terms, 2); `one_sex` the terms that only one sex can have.
    """

    terms: list[str]
    position: Mapping[str, int]
    prevalence: np.ndarray
    asked: np.ndarray
    parents: Mapping[str, tuple[str, ...]]
    wordings: Mapping[str, Wordings]
    ages: np.ndarray
    one_sex: Mapping[str, np.ndarray]

    def ancestors(self, term: str) -> set[str]:
        """Return a term's ancestors, itself among them."""
        found: set[str] = set()
        pending = [term]
        while pending:
            if (current := pending.pop()) not in found:
                found.add(current)
                pending += self.parents.get(current, ())
        return found

    def possible(self, *, sex: str | None, age: float | None) -> np.ndarray:
        """Return which terms fit a patient, booleans of shape (terms); an unknown sex or age excludes nothing."""
        import numpy as np

        fits = np.ones(len(self.terms), dtype=bool)
        if age is not None:
            fits &= (self.ages[:, 0] <= age) & (age < self.ages[:, 1])
        if sex is not None and sex in self.one_sex:
            fits &= ~self.one_sex["male" if sex == "female" else "female"] | self.one_sex[sex]
        return fits


def read_phenome(ontology: Path, annotations: pd.DataFrame, *, allowed: Callable[[str], bool] | None = None) -> Phenome:
    """Read the ontology; a term is told only by wordings that are `allowed`, and left out if there is none.

    Without `allowed`, every term is there, if need be by its label. `annotations` is the table of `read_annotations`.
    The order of terms depends on no cohort.
    """
    import numpy as np

    terms = read_terms(ontology / "hp.obo")
    parents = {identifier: tuple(filter(terms.__contains__, term.parents)) for identifier, term in terms.items()}
    systems = [term for term, above in parents.items() if ROOT in above]  # they name organ systems, not findings
    below = _below(systems, parents=parents) - set(systems)
    wordings = {term: found for term in sorted(below) if (found := _wordings(terms[term], allowed=allowed))}
    told = list(wordings)
    rare = annotations[annotations["disease"].str.startswith("ORPHA:")]
    counts = rare.groupby("term")["disease"].nunique().reindex(told, fill_value=0).to_numpy(dtype="float64") + UNSEEN
    asked = counts**2 * [not LACKING.search(" ".join(wordings[term]["clinical"])) for term in told]
    ages = np.tile([0.0, 120.0], (len(told), 1))
    for root, span in AGES.items():
        inside = _within([root], told, parents=parents)
        ages[inside] = np.stack([ages[inside, 0].clip(min=span[0]), ages[inside, 1].clip(max=span[1])], axis=1)
    one_sex = {sex: _within(roots, told, parents=parents) for sex, roots in ONE_SEX.items()}
    position = {term: index for index, term in enumerate(told)}
    return Phenome(told, position, counts / counts.sum(), asked / asked.sum(), parents, wordings, ages, one_sex)


def by_kind(label: Sequence[str], clinical: Sequence[str], lay: Sequence[str], short: Sequence[str]) -> Wordings:
    """Return wordings by kind; a kind that has none takes the usual ones."""
    usual = clinical or lay or label
    return {"label": label or usual, "clinical": usual, "lay": lay or usual, "short": (*short, *usual)}


def avoiding(names: Iterable[str]) -> Callable[[str], bool]:
    """Return a test for texts that share no word of three letters or more with any of `names`, bar generic ones."""
    forbidden = {word for name in names for word in _words(name)} - GENERIC
    return lambda text: forbidden.isdisjoint(_words(text))


def needed_words(terms: Iterable[Term]) -> set[str]:
    """Return the words that stand in so many labels that findings can't be described without them."""
    from collections import Counter

    counts = Counter(word for term in terms for word in _words(term.label))
    return {word for word, count in counts.items() if count >= COMMON} - GENERIC


def is_named_by(name: str, words: set[str]) -> bool:
    """Say whether a diagnosis's name holds one of the words."""
    return not words.isdisjoint(_words(name))


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return set(re.findall(r"[a-z0-9]{3,}", plain))


def _wordings(term: Term, *, allowed: Callable[[str], bool] | None) -> Wordings:
    """Return the allowed wordings by kind; where a kind has none, those of another; nothing if none is allowed."""
    if allowed is None:
        texts = [(term.label,), term.clinical, term.lay, term.short]
    else:
        texts = [tuple(filter(allowed, kind)) for kind in ((term.label,), term.clinical, term.lay, term.short)]
    return {} if allowed and not (texts[1] or texts[2]) else by_kind(*texts)


def _within(roots: Iterable[str], terms: Sequence[str], *, parents: Mapping[str, tuple[str, ...]]) -> np.ndarray:
    """Return which terms are one of `roots` or below one."""
    import numpy as np

    inside = _below(roots, parents=parents) | set(roots)
    return np.array([term in inside for term in terms])


def _below(roots: Iterable[str], *, parents: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return all terms below any of `roots`."""
    children: dict[str, list[str]] = {}
    for term, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(term)
    found: set[str] = set()
    pending = [child for root in roots for child in children.get(root, [])]
    while pending:
        if (current := pending.pop()) not in found:
            found.add(current)
            pending += children.get(current, [])
    return found
