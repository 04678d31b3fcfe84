"""How probable each finding is, disease by disease, and in which words it may be told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.stage import StageError
from stages.sources.ontology import Term, read_annotations, read_terms

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ROOT = "HP:0000118"  # Phenotypic abnormality
FEWEST = 10  # annotated terms below which a disease can't be told from noise
# Findings of the reproductive system, which the other sex can't have.
ONE_SEX = {
    "male": ("HP:0010461", "HP:0012874", "HP:0033019"),
    "female": ("HP:0010460", "HP:0030012", "HP:0033020"),
}
GENERIC = frozenset({"disease", "syndrome", "type", "with"})  # words that give no diagnosis away


@dataclass(frozen=True)
class Phenome:
    """The findings that a note can tell.

    `terms` holds their ids in a fixed order; `prevalence`, of the same length and summing to 1, how often each is
    annotated to a rare disease; `annotations` has a row per disease and term; `one_sex` has terms that only one
    sex can have.
    """

    terms: list[str]
    prevalence: np.ndarray
    annotations: pd.DataFrame
    parents: Mapping[str, tuple[str, ...]]
    wordings: Mapping[str, Mapping[str, tuple[str, ...]]]
    one_sex: Mapping[str, set[str]]

    def ancestors(self, term: str) -> set[str]:
        """Return a term's ancestors, itself among them."""
        found: set[str] = set()
        pending = [term]
        while pending:
            if (current := pending.pop()) not in found:
                found.add(current)
                pending += self.parents[current]
        return found


def read_phenome(ontology: Path, *, allowed: Callable[[str], bool]) -> Phenome:
    """Read the ontology; a term is told only by wordings that are `allowed`, and left out if there is none.

    The order and prevalence of terms depend on no cohort, so that a patient's draws don't either.
    """
    terms = read_terms(ontology / "hp.obo")
    annotations = read_annotations(ontology / "phenotype.hpoa")
    parents = {identifier: tuple(filter(terms.__contains__, term.parents)) for identifier, term in terms.items()}
    rare = annotations[annotations["disease"].str.startswith("ORPHA:")]
    counts = rare.groupby("term")["disease"].nunique()
    systems = [term for term, above in parents.items() if ROOT in above]  # they name organ systems, not findings
    told = sorted(_below(systems, parents=parents) - set(systems))
    one_sex = {sex: _below(roots, parents=parents) | set(roots) for sex, roots in ONE_SEX.items()}
    wordings = {
        kind: {term: _wordings(terms[term], kind=kind, allowed=allowed) for term in told}
        for kind in ("clinical", "lay")
    }
    prevalence = counts.reindex(told, fill_value=0).to_numpy(dtype="float64", copy=True)
    prevalence[[not wordings["clinical"][term] for term in told]] = 0
    return Phenome(told, prevalence / prevalence.sum(), annotations, parents, wordings, one_sex)


def finding_probabilities(
    phenome: Phenome, disease: str, *, sex: str, findings: float, noise: float, imprecision: float
) -> np.ndarray:
    """Return P(term is told | disease, sex) for every term of the phenome; terms are independent given both.

    An annotated term is told with its frequency times one observation rate, chosen so that `findings` of the disease's
    own terms are expected. A share `imprecision` of that goes to its parents, in equal parts; noise terms are told by
    prevalence, `noise` x `findings` of them expected. Causes of one term combine by noisy-or. Raises StageError where
    phenotype.hpoa has too few terms for the disease.
    """
    import numpy as np

    own = phenome.annotations[phenome.annotations["disease"] == disease].set_index("term")["frequency"]
    position = {term: index for index, term in enumerate(phenome.terms) if phenome.wordings["clinical"][term]}
    own = own[[term in position for term in own.index]]
    if len(own) < FEWEST:
        raise StageError(
            f"cohort.yaml: {disease}: phenotype.hpoa has {len(own)} usable terms; at least {FEWEST} are needed"
        )
    absent = 1 - np.minimum(phenome.prevalence * noise * findings, 0.5)
    for term, probability in (own * min(1.0, findings / own.sum())).items():
        vaguer = [position[parent] for parent in phenome.parents[str(term)] if parent in position]
        share = imprecision if vaguer else 0.0
        absent[position[str(term)]] *= 1 - probability * (1 - share)
        for parent in vaguer:
            absent[parent] *= 1 - probability * share / len(vaguer)
    other = phenome.one_sex["male" if sex == "female" else "female"] - phenome.one_sex[sex]
    absent[[term in other for term in phenome.terms]] = 1
    return 1 - absent


def avoiding(names: Iterable[str]) -> Callable[[str], bool]:
    """Return a test for texts that share no word of three letters or more with any of `names`, bar generic ones."""
    forbidden = {word for name in names for word in _words(name)} - GENERIC
    return lambda text: forbidden.isdisjoint(_words(text))


def _words(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return set(re.findall(r"[a-z0-9]{3,}", plain))


def _wordings(term: Term, *, kind: str, allowed: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the allowed wordings of a kind, or else those of the other kind."""
    lay, clinical = (tuple(filter(allowed, texts)) for texts in (term.lay, term.clinical))
    return (lay or clinical) if kind == "lay" else (clinical or lay)


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
