"""Scrubbing on odd texts: graphemes stay whole, long and foreign texts pass, and a second look costs nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import regex
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.lib.phi import ner
from stages.lib.phi.engine import Finder, load_finder
from stages.lib.phi.eponyms import is_eponym
from stages.lib.phi.lexicon import English, Lexicon, Ontology, read_ontology
from stages.lib.phi.redaction import redact
from stages.lib.phi.safeguards import is_clinical, may_hold_phi
from stages.lib.phi.spans import Span
from stages.lib.phi.truecase import truecased
from stages.lib.stage import StageError

ONTOLOGY = ROOT / "tests/cases/scrub/one-patient-two-notes/given/data/ontology"
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PHI = ["Dr. Amara Okonkwo", "MRN: 00-4471-932", "12 Elm Street", "seen on 03/14/2021", "QUENTIN", "93-year-old"]
ODD = [
    "e\u0301",
    "\U0001f469\u200d\u2695\ufe0f",
    "مريض",
    "שלום",
    "\u200f",
    "\x00",
    "\ufeff",
    "\u00a0",
    "ß",
    "漢字",
    "\r\n",
]


@pytest.fixture(scope="module")
def finder(ner_models: Path) -> Finder:
    """Return the finder with the default parameters."""
    return load_finder(ner_models, ONTOLOGY, 0.35, ("NRP",))


@SETTINGS
@given(st.lists(st.sampled_from(PHI + ODD) | st.text(max_size=8), max_size=8).map("".join))
@example("Dr. Ame\u0301lie\u0301 \U0001f469\u200d\u2695\ufe0f\x00 MRN: 0047713\u0301")
def test_no_span_cuts_a_grapheme_and_scrubbing_is_idempotent(finder: Finder, text: str) -> None:
    ((scrubbed, spans),) = redact([[text]], finder.find, finder.lexicon)[0]
    borders = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    assert [span for span in spans if not {span.start, span.end} <= borders] == []
    assert redact([[scrubbed]], finder.find, finder.lexicon)[0] == [(scrubbed, [])]


def test_the_rules_take_a_text_of_a_megabyte(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ner, "find_entities", lambda models, texts: [[] for _ in texts])
    note = "Dr. Amara Okonkwo saw a 45-year-old woman on 03/14/2021 for fever; MRN: 00-4471-932.\n"
    fill = "no change in fever and cough since then, \n" * 60
    text = (note + fill) * (1_000_000 // len(note + fill))
    started = time.process_time()
    (spans,) = finder.find([text])
    assert time.process_time() - started < 30
    assert len(spans) == 3 * text.count(note)  # so no pattern ran out of Presidio's time and was skipped


def test_a_name_across_the_border_of_two_windows_of_a_long_text_is_no_error(finder: Finder) -> None:
    text = "fever " * 3333 + "Dr. Amara Okonkwo " + "cough " * 4000
    assert "Okonkwo" not in redact([[text]], finder.find, finder.lexicon)[0][0][0]


def test_what_was_scrubbed_is_not_shown_to_ner_again(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def find_entities(models: Sequence[object], texts: Sequence[str]) -> list[list[Span]]:
        shown.extend(texts)
        return [[] for _ in texts]

    monkeypatch.setattr(ner, "find_entities", find_entities)
    finder.find(["[PERSON_1] came with fever and cough on [DATE_TIME_1].", "[PERSON_1] met Ingrid Halvorsen there."])
    assert shown == [" met Ingrid Halvorsen there."]


@SETTINGS
@given(
    st.lists(
        st.sampled_from(["Ward", "halvorsen", "Boise", "COPD", "fever", "at", "the", "L4-L5", "Dr", "in"]), max_size=6
    )
)
def test_a_text_that_ner_skips_could_not_hold_phi(finder: Finder, words: list[str]) -> None:
    text = " ".join(words)
    if may_hold_phi(text, finder.lexicon):
        return
    borders = [place for place in range(len(text) + 1) if place in {0, len(text)} or " " in text[place - 1 : place + 1]]
    spans = [
        Span(start, end, entity)
        for start in borders
        for end in borders
        if start < end
        for entity in ("PERSON", "LOCATION")
    ]
    assert [
        span for span in spans if text[span.start : span.end].strip() and not is_clinical(text, span, finder.lexicon)
    ] == []


def test_eponyms_of_the_ontology_stay_beside_their_neighbours_only(finder: Finder) -> None:
    texts = ["Lisch nodules were seen.", "Seen by Mr Lisch."]
    scrubbed = [redact([[text]], finder.find, finder.lexicon)[0][0][0] for text in texts]
    assert scrubbed == ["Lisch nodules were seen.", "Seen by [PERSON_1]."]


@pytest.mark.parametrize(
    "text",
    [
        "dear «okonkwo», thank you for the referral",
        "Seen by dr. «halvorsen» today.",
        "Pt: «amara okonkwo», no fever",
        "He came with «ingrid  halvorsen» and had a cough.",
        "A 4-year-old boy from «tvedestrandby», with fever.",
        "Transferred to st. «halvorsen hospital».",
        "Copy: 12/4, «okonkwo» «halvorsenby 601141».",
        "No fever.\n«k. halvorsen»",
        "Dictated but not signed, «v. okonkwo» (NPI 1759816329)",
        "We write about our daughter «okonkwo», who is 5.",
        "24yo F pt «florencia u. okonkwo», MRN 76-34677.",
        "Transferred to st. de «halvorsen hospital».",
    ],
)
def test_what_is_announced_in_lower_case_is_found(finder: Finder, text: str) -> None:
    plain = text.replace("«", "").replace("»", "")
    ((scrubbed, _),) = redact([[plain]], finder.find, finder.lexicon)[0]
    assert [word for part in text.split("«")[1:] for word in part.split("»")[0].split() if word in scrubbed] == []


def test_an_age_in_other_words_has_the_same_number_and_nothing_of_it_is_left(finder: Finder) -> None:
    texts = ["A 94-year-old woman with fever.", "Fever in a woman aged 94 years.", "94 y/o, her sister is 97 yo."]
    scrubbed = [text for text, _ in redact([texts], finder.find, finder.lexicon)[0]]
    assert scrubbed == ["A [AGE_1] woman with fever.", "Fever in a woman [AGE_1].", "[AGE_1], her sister is [AGE_2]."]


def test_a_name_grows_by_its_initials_and_a_finding_between_does_not_keep_it(finder: Finder) -> None:
    texts = ["Handed over to K Halvorsen.", "His brother Amara Okonkwo has fever.", "Vitamin D and fever."]
    scrubbed = [redact([[text]], finder.find, finder.lexicon)[0][0][0] for text in texts]
    assert scrubbed[::2] == ["Handed over to [PERSON_1].", "Vitamin D and fever."]
    assert "Okonkwo" not in scrubbed[1]


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        # an institution as the author of guidance, and as the place where a patient was seen
        ("What are the Mayo Clinic criteria for fever?", True),
        ("Any recommendations from the Cleveland Clinic on fever?", True),
        ("She was seen at Mayo Clinic for fever.", False),
        ("He was transferred from Johns Hopkins with fever.", False),
        # a society, and a hospital that is named like one
        ("The American College of Cardiology guideline on syncope.", True),
        ("She had her operation at Royal Brannock Hospital.", False),
        # brands, a genus by its species, a laboratory value
        ("Compare Keytruda and Opdivo in melanoma.", True),
        ("Can Ozempic be stopped before surgery?", True),
        ("Blood cultures grew Clostridioides difficile.", True),
        ("Today Cr 2.1 and Hb 9.8.", True),
        ("Mr Lasix has fever.", False),
        # signs and scores after two people, joined by "and"; a grade; a measured test; what is compared
        ("The Rinne and Weber tests were normal.", True),
        ("A Bosniak IIF lesion, a Gleason 4+3.", True),
        ("Mantoux of 12 mm in a man with fever.", True),
        ("Is Nexplanon or medroxyprogesterone safe?", True),
        ("Smoke in the Pacific Northwest and fever in Black patients.", True),
        ("Is Ramadan fasting safe?", True),
        # the same words as names of people, and a verb before a finding
        ("Mr Weber and Mr Rinne have fever.", False),
        ("John Hartwell III has fever.", False),
        ("Mr Black, patients of Dr. White", False),
        ("Halvorsen developed severe pain.", False),
    ],
)
def test_common_knowledge_stays_and_the_place_of_treatment_goes(finder: Finder, text: str, stays: bool) -> None:
    assert (redact([[text]], finder.find, finder.lexicon)[0][0][0] == text) is stays


@pytest.mark.parametrize(
    ("text", "cased"),
    [
        ("we met okonkwo in vadstena", "we met Okonkwo in Vadstena"),
        ("lives at 4 okonkwo street, j. halvorsen", "lives at 4 Okonkwo Street, J. Halvorsen"),
        # misspelt, run together, negated; and a text with a capital
        ("severe hedache and feverwith chills, it didnt help", "severe hedache and feverwith chills, it didnt help"),
        ("Seen with okonkwo", "Seen with okonkwo"),
    ],
)
def test_a_text_without_capitals_gets_those_of_names_back(finder: Finder, text: str, cased: str) -> None:
    assert truecased(text, finder.lexicon) == cased


@SETTINGS
@given(st.text(max_size=30) | st.lists(st.sampled_from([*ODD, "okonkwo", "ǰa", "ŉx", " "])).map("".join))
def test_capitals_move_no_offset(finder: Finder, text: str) -> None:
    cased = truecased(text, finder.lexicon)
    assert len(cased) == len(text)
    assert cased.casefold() == text.casefold()


def test_models_read_texts_in_batches_of_bounded_size() -> None:
    texts = ["x" * size for size in (10, ner.BATCH_CHARACTERS, 10, ner.BATCH_CHARACTERS // 2)] + ["x"] * 300
    bounds = list(ner.batches(texts))
    assert [place for start, end in bounds for place in range(start, end)] == list(range(len(texts)))
    for start, end in bounds:
        assert end - start <= ner.BATCH_SIZE
        assert end - start == 1 or sum(map(len, texts[start:end])) <= ner.BATCH_CHARACTERS
    assert list(ner.batches([])) == []


def test_words_of_the_ontology_are_those_in_lower_case_and_whole_labels() -> None:
    ontology = read_ontology(ONTOLOGY)
    assert {"nodules", "growth", "iris"} <= ontology.words
    assert "lisch" not in ontology.words
    assert ("lisch", "nodules") in ontology.pairs


def test_without_the_ontology_nothing_is_read(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"hp\.obo: missing"):
        read_ontology(tmp_path)


@pytest.mark.parametrize(
    ("before", "found", "after", "stays"),
    [
        ("", "Osgood-Schlatter", " at 13", True),
        ("with ", "Osgood", "-Schlatter at 13", True),  # NER found the first name alone
        ("", "Loeys vs Marfan", " in a tall man", True),
        ("seen by ", "Osgood", " at 13", False),
        ("", "Osgood-Halvorsen", " at 13", False),
    ],
)
def test_names_that_the_ontology_joins_by_a_hyphen_stay(before: str, found: str, after: str, stays: bool) -> None:
    ontology = Ontology(frozenset(), frozenset({("osgood", "schlatter")}))
    lexicon = Lexicon([], english=English(frozenset(), frozenset()), ontology=ontology)
    assert is_eponym(found, before=before, after=after, lexicon=lexicon) is stays


def test_a_vocabulary_without_vectors_goes_by_the_lists() -> None:
    lexicon = Lexicon(
        [],
        english=English(frozenset({"table"}), frozenset({"improve"})),
        ontology=Ontology(frozenset({"hydroureter"}), frozenset()),
    )
    assert lexicon.is_clinical("Hydroureter")
    assert lexicon.is_known("Tables")
    assert lexicon.is_known("Improving")
    assert not lexicon.is_known("Halvorsen")
