"""Canaries: every Safe Harbor class has some, they go with the rest, and one that survives stops the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_scrub import run_scrub

from stages.lib.phi import engine
from stages.lib.phi.canaries import TEXTS, Canary, canaries, survives
from stages.lib.phi.spans import ENTITIES, Span
from stages.lib.stage import StageError


def test_every_class_of_safe_harbor_has_canaries_in_several_forms() -> None:
    assert {name[0] for name in TEXTS} == set("ABCDEFGHIJKLMNOPQR")
    assert {entity for entity, _ in TEXTS.values()} <= set(ENTITIES)
    assert min(len(texts) for _, texts in TEXTS.values()) >= 2
    assert all(canary.values and all(canary.values) for canary in canaries())


def test_what_is_kept_on_purpose_has_no_canaries() -> None:
    assert {canary.safe_harbor[0] for canary in canaries(["DATE_TIME", "PHONE_NUMBER"])} == set("ABCFGHIJKLMNOPQR")
    assert "C dates" not in {canary.safe_harbor for canary in canaries(["DATE_TIME"])}


@pytest.mark.parametrize(
    ("left", "text"),
    [
        # as planted, in another case, over lines, with other punctuation
        (True, "Seen by Dr. Brannigan today, MRN [MEDICAL_RECORD_NUMBER_1]"),
        (True, "seen by BRANNIGAN"),
        (True, "seen by Brann-\nigan"),
        (True, "MRN 007341882"),
        (True, "MRN 00 7341.882"),
        (True, "MRN 00-7341\n-882"),
        # gone, or a part of another word or of placeholders' numbers
        (False, "Seen by [PERSON_1], MRN [MEDICAL_RECORD_NUMBER_1]"),
        (False, "Brannigans"),
        (False, "[PERSON_00][ID_7341][ID_882]"),
    ],
)
def test_a_survivor_is_seen_in_every_shape(left: bool, text: str) -> None:
    assert survives(Canary("A names", 1, "", ("Brannigan", "00-7341-882")), text) is left


def test_a_surviving_canary_stops_the_run_by_class_and_form_without_its_value(
    tmp_path: Path, ner_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFERENTIAL_WORKERS", "1")
    find = engine.Finder.find

    def blind(finder: engine.Finder, texts: list[str]) -> list[list[Span]]:
        return [[span for span in spans if span.entity != "DEVICE_ID"] for spans in find(finder, texts)]

    monkeypatch.setattr(engine.Finder, "find", blind)
    with pytest.raises(StageError, match="canary 1 of 'M device identifiers' survived") as error:
        run_scrub(tmp_path, ner_models)
    assert "SN58213K" not in str(error.value)
