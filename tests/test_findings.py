"""The findings of a note are its phenotypes and what the ontology has above them, but for the rare and the common."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib.findings import LEAST, common_findings

ONTOLOGY = """[Term]
id: HP:1
name: All

[Term]
id: HP:2
name: Abnormal heart
is_a: HP:1 ! All

[Term]
id: HP:3
name: Large heart
is_a: HP:2 ! Abnormal heart

[Term]
id: HP:4
name: Small heart
is_a: HP:2 ! Abnormal heart

[Term]
id: HP:5
name: Cough
is_a: HP:1 ! All
"""


def findings(tmp_path: Path, *phenotypes: list[str] | None) -> list[list[int]]:
    """Return the findings of records with these phenotypes."""
    (tmp_path / "hp.obo").write_text(ONTOLOGY)
    arrays = [None if ids is None else np.array(ids, dtype=object) for ids in phenotypes]
    return common_findings(pd.DataFrame({"phenotypes": arrays}), tmp_path)


def test_a_phenotype_implies_what_stands_above_it(tmp_path: Path) -> None:
    others: list[list[str] | None] = [[], None] * LEAST * 2
    found = findings(tmp_path, *[["HP:3"]] * LEAST, *[["HP:4", "MONDO:1"]] * (LEAST - 1), *others)
    large, heart, everything = 2, 1, 0  # of HP:1, HP:2, HP:3; HP:4 and MONDO:1 are too rare
    assert found[: 2 * LEAST - 1] == [[everything, heart, large]] * LEAST + [[everything, heart]] * (LEAST - 1)
    assert found[2 * LEAST - 1 :] == [[]] * len(others)


def test_what_most_have_and_what_few_have_teaches_nothing(tmp_path: Path) -> None:
    found = findings(tmp_path, *[["HP:3"]] * LEAST, *[["HP:5"]] * LEAST, [])  # all but one are abnormal
    cough, heart, large = 2, 0, 1
    assert found == [[heart, large]] * LEAST + [[cough]] * LEAST + [[]]
    assert findings(tmp_path, ["HP:3"], ["HP:5"]) == []


def test_records_without_phenotypes_need_no_ontology(tmp_path: Path) -> None:
    assert common_findings(pd.DataFrame({"phenotypes": [None, np.array([])]}), tmp_path) == []
