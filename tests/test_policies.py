"""Policies: each entity has an operator, strict keeps what Safe Harbor lets it keep, and surrogates need a key."""

from __future__ import annotations

import hashlib
import hmac
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_scrub import ONTOLOGY, PHI, raw, run_scrub

from stages.lib.keys import pinned_key
from stages.lib.phi.engine import Finder, load_finder
from stages.lib.phi.hits import compiled, count_hits
from stages.lib.phi.policies import FILE, SMALL_ZIP_AREAS, Patient, Policy, read_policy, rewritten, version
from stages.lib.phi.redaction import redact
from stages.lib.phi.surrogates import Surrogates
from stages.lib.records import read_records
from stages.lib.stage import StageError

SECRET = "a secret of the tests, thirty-two bytes"
FINGERPRINT = hashlib.sha256(SECRET.encode()).hexdigest()[:16]
Rewrite = Callable[..., str]


@pytest.fixture(scope="module")
def finder(ner_models: Path) -> Finder:
    """Return the finder with the default parameters."""
    return load_finder(ner_models, ONTOLOGY, 0.35, ("NRP",))


@pytest.fixture(scope="module")
def strict(finder: Finder) -> Rewrite:
    """Return a function from a text, and the date of its record, to the text under `safe_harbor_strict`."""

    def rewrite(text: str, date: str | None = None) -> str:
        ((_, spans),) = redact([[text]], finder.find, finder.lexicon)[0]
        operators = read_policy("safe_harbor_strict")
        return rewritten(Patient("p1", [text], [date]), [spans], operators, None)[0][0]

    return rewrite


@pytest.mark.parametrize("policy", get_args(Policy))
def test_the_policy_file_says_what_becomes_of_each_entity(policy: Policy) -> None:
    operators = read_policy(policy)
    assert operators["PERSON"] == ("fake" if policy == "surrogate" else "placeholder")
    assert "NRP" in operators


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PERSON:  ", "PERSONS:  ", "must have a line for each of PERSON"),
        ("redact: placeholder", "redact: keep", "PERSON: must give each of redact, surrogate"),
        ("redact: placeholder, ", "", "PERSON: must give each of redact, surrogate"),
    ],
)
def test_a_policy_file_with_a_gap_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (ROOT / "stages/lib/phi/policies.yaml").read_text()
    path = tmp_path / "policies.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(StageError, match=message):
        read_policy("redact", path)


STRICT = [
    # dates to their year; no year, or one that tells an age over 89, and nothing stays
    ("Admitted on 03/14/2021, discharged 2021-03-20.", "Admitted on 2021, discharged 2021."),
    ("Operated on the 5th of November 2019.", "Operated on the 2019."),
    ("Seen on Feb 2nd.", "Seen on [DATE_TIME_1]."),
    ("Seen on 03/14/2021. Date of birth: 03/02/1928.", "Seen on 2021. Date of birth: [DATE_TIME_1]."),
    ("Seen on 03/14/2021, born in 1928.", "Seen on 2021, born in [DATE_TIME_1]."),
    ("Seen on 03/14/2021, born in 1948.", "Seen on 2021, born in 1948."),
    # ages over 89
    ("A 93-year-old woman fell.", "A 90+-year-old woman fell."),
    ("A woman aged 94 years fell.", "A woman aged 90+ years fell."),
    ("A ninety-four-year-old woman fell.", "A 90+-year-old woman fell."),
    ("An 89-year-old woman fell.", "An 89-year-old woman fell."),
    # three digits of a ZIP code, 000 for small areas; nothing of other countries' codes
    ("Lives at 1427 Larkspur Lane, Boise, ID 83702.", "Lives at [LOCATION_1] 837."),
    ("Lives at 12 Elm Street, Jackson, WY 83101.", "Lives at [LOCATION_1] 000."),
    ("Address: 12 Elm Street, 83174 Wolfenburg.", "Address: [LOCATION_1]."),
    # all else
    ("Seen by Dr. Amara Okonkwo.", "Seen by [PERSON_1]."),
]


@pytest.mark.parametrize(("text", "expected"), STRICT)
def test_strict_keeps_what_safe_harbor_lets_it_keep(strict: Rewrite, text: str, expected: str) -> None:
    assert strict(text) == expected


def test_the_date_of_the_record_says_who_is_over_89(strict: Rewrite) -> None:
    assert strict("Date of birth: 03/02/1928.", "1990-05-06") == "Date of birth: 1928."
    assert strict("Date of birth: 03/02/1928.", "2018-05-06") == "Date of birth: [DATE_TIME_1]."


@pytest.mark.parametrize("policy", get_args(Policy))
def test_a_year_of_birth_that_tells_an_age_over_89_goes_under_every_policy(policy: Policy) -> None:
    texts = ["A widow, born in 1928.", "Her son was born in 1958."]
    patient, keyed = Patient("p1", texts, ["2021-05-06"] * 2), hmac.new(b"key", digestmod="sha256")
    surrogates = Surrogates(keyed, "p1", texts, is_word=lambda word: False) if policy == "surrogate" else None
    (old, spans), (young, _) = rewritten(patient, [[], []], read_policy(policy), surrogates)
    assert (old, young) == ("A widow, born in [DATE_TIME_1].", texts[1])
    assert [span[:3] for span in spans] == [(17, 21, "DATE_TIME")]


def test_the_small_areas_hold_the_17_of_the_guidance_of_2012() -> None:
    assert list(SMALL_ZIP_AREAS) == sorted(set(SMALL_ZIP_AREAS))
    guidance = sorted(set(SMALL_ZIP_AREAS) - {"202", "204", "205", "369", "753", "772"})
    assert hashlib.sha256(" ".join(guidance).encode()).hexdigest()[:12] == "42a4d9a27938"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([text for text, _ in (*PHI, *STRICT)] + ["fever"]), max_size=4).map("\n\n".join))
def test_strict_is_idempotent_over_paragraphs(strict: Rewrite, text: str) -> None:
    once = strict(text, "2021-05-06")
    assert strict(once, "2021") == once


@pytest.mark.parametrize("policy", ["surrogate", "safe_harbor_strict"])
def test_what_a_policy_leaves_is_no_phi_to_validate_and_runs_agree(
    tmp_path: Path, ner_models: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("DIFFERENTIAL_KEY", SECRET)
    outputs = []
    for workers in ("1", "2"):
        monkeypatch.setenv("DIFFERENTIAL_WORKERS", workers)
        outputs.append(run_scrub(tmp_path, ner_models, policy=policy, key_fingerprint=FINGERPRINT))
    assert outputs[0] == outputs[1]
    records = read_records(tmp_path / "scrubbed.parquet")
    faked = policy == "surrogate"
    patterns = compiled(faked=faked)
    assert sum(count_hits(text, patterns, faked=faked) for text in records["text"]) == 0
    values = [value for value in raw(tmp_path / "raw.parquet") if not value.startswith("Feb")]
    assert [value for value in values if value in records.to_csv()] == []
    assert (records["text"].str.contains("[PERSON_1]", regex=False).any()) == (policy != "surrogate")
    assert SECRET not in "".join(map(str, outputs[0]))


def test_surrogates_do_not_hide_what_was_not_found(
    tmp_path: Path, ner_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFERENTIAL_KEY", SECRET)
    monkeypatch.setenv("DIFFERENTIAL_WORKERS", "1")
    kept = {"kept_entities": ["DATE_TIME", "NRP"]}
    with pytest.raises(StageError, match=r"matches look like PHI .* in records r0-0\d\d"):
        run_scrub(tmp_path, ner_models, policy="surrogate", key_fingerprint=FINGERPRINT, **kept)


def test_surrogates_need_the_pinned_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ner_models: Path) -> None:
    with pytest.raises(ValueError, match="surrogate needs a secret key"):
        run_scrub(tmp_path, ner_models, policy="surrogate")
    for secret, message in (("", "none: it is not set"), ("another", "has the fingerprint [0-9a-f]{16};")):
        monkeypatch.setenv("DIFFERENTIAL_KEY", secret)
        with pytest.raises(StageError, match=f"scrub.key_fingerprint: {FINGERPRINT} is pinned, .*{message}"):
            run_scrub(tmp_path, ner_models, policy="surrogate", key_fingerprint=FINGERPRINT)
    monkeypatch.setenv("DIFFERENTIAL_KEY", "short")
    with pytest.raises(StageError, match="fewer than 16 bytes"):
        pinned_key(hashlib.sha256(b"short").hexdigest()[:16], parameter="scrub.key_fingerprint")


def test_the_version_changes_with_any_code_or_table_and_with_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "phi"
    shutil.copytree(FILE.parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "notes.txt").write_text("of no effect")
    versions = [version(folder)]
    assert versions == [version()]
    for name in ("policies.yaml", "recognizers.yaml", "recognizers/dates.py", "engine.py"):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
        versions.append(version(folder))
    (folder / "recognizers/dates.py").rename(folder / "recognizers/days.py")
    versions.append(version(folder))
    assert len(set(versions)) == len(versions)
