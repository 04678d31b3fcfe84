"""Put the generative model together: which diseases, from which annotations, in which words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from stages.lib.phenotypes.cohort import Disease, annotated, best_annotated, read_cohort
from stages.lib.phenotypes.likelihood import FEWEST, FindingModel, Rates, enough
from stages.lib.phenotypes.ontology import read_annotations, read_terms
from stages.lib.phenotypes.phenome import avoiding, needed_words, read_phenome
from stages.lib.stage import log


def cohort(
    choice: str | int, *, ontology: Path, shared: Mapping[str, str], reserved: Collection[str] = ()
) -> list[Disease]:
    """Return the diseases of cohort.yaml ("curated"), of `shared` (name by code), or so many of the best annotated.

    `reserved` are words, in lower case, that the names of the last must not hold, besides those that findings need.
    """
    if choice == "curated":
        return read_cohort()
    if choice == "shared":
        return annotated(shared, ontology=ontology)
    needed = needed_words(read_terms(ontology / "hp.obo").values()).union(reserved)
    annotations = read_annotations(ontology / "phenotype.hpoa")
    return annotated(best_annotated(annotations, number=int(choice), needed=needed), ontology=ontology)


def note_words(diseases: Sequence[Disease], *, strict: bool) -> Callable[[str], bool]:
    """Return a test for texts that hold no word of a diagnosis or, unless `strict`, no whole name of one."""
    names = [disease.name for disease in diseases]
    return avoiding(names) if strict else _no_whole(names)


def make_model(
    ontology: Path,
    *,
    diseases: Sequence[Disease],
    rates: Rates,
    allowed: Callable[[str], bool] | None = None,
    without: Collection[str] = (),
) -> FindingModel:
    """Return the model of those diseases that annotations are left for, without the rows that cite publications.

    Terms without an `allowed` wording can't be told; by default all can.
    """
    annotations = read_annotations(ontology / "phenotype.hpoa", without=without)
    phenome = read_phenome(ontology, annotations, allowed=allowed)
    left = enough(phenome, annotations, diseases=diseases)
    if len(left) < len(diseases):
        gone = sorted({disease.id for disease in diseases} - {disease.id for disease in left})
        log.warning("left out, with fewer than %d annotated terms: %s", FEWEST, ", ".join(gone))
    return FindingModel(phenome, annotations, diseases=left, rates=rates)


def _no_whole(names: Sequence[str]) -> Callable[[str], bool]:
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), re.IGNORECASE)
    return lambda text: not pattern.search(text)
