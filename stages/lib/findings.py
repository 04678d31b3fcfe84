"""What records affirm beside their diagnosis: HPO ids in, numbers of the findings that a model can learn out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.phenotypes.ontology import Term, read_terms

if TYPE_CHECKING:
    import pandas as pd

LEAST = 5  # records with a finding, or it teaches nothing
MOST = 0.5  # of the records: what nearly all have, as the ontology's root, tells nobody apart


def common_findings(records: pd.DataFrame, ontology: Path) -> list[list[int]]:
    """Return of each record the numbers, from 0, of the findings that its phenotypes are or imply.

    A phenotype implies what stands above it in HPO, so that those written precisely and less so, or by other words,
    have findings in common. Only findings of several records count. Empty where no record has any.
    """
    phenotypes = [() if ids is None else ids for ids in records["phenotypes"]]
    if not any(map(len, phenotypes)):
        return []
    terms, known = read_terms(ontology / "hp.obo"), dict[str, frozenset[str]]()

    def implied(ids: Sequence[str]) -> frozenset[str]:
        return frozenset().union(*(_implied(term, terms, known) for term in ids))

    counts = Counter(term for ids in phenotypes for term in implied(ids))
    common = sorted(term for term, count in counts.items() if LEAST <= count < MOST * len(records))
    numbers = {term: number for number, term in enumerate(common)}
    return [sorted(numbers[term] for term in implied(ids) if term in numbers) for ids in phenotypes] if common else []


def _implied(term: str, terms: Mapping[str, Term], known: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return a term and all above it."""
    if term not in known:
        above = terms[term].parents if term in terms else ()
        known[term] = frozenset([term]).union(*(_implied(parent, terms, known) for parent in above))
    return known[term]
