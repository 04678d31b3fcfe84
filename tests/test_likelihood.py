"""The generative model of findings: what is drawn has the stated probabilities, and the posterior is exact."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.metrics import log_losses
from stages.lib.phenotypes.cohort import Disease, read_cohort
from stages.lib.phenotypes.likelihood import FindingModel, Rates, Scorer, fewer, posterior
from stages.lib.phenotypes.world import make_model, note_words
from stages.lib.reliability import expected_calibration_error
from stages.lib.scores import Scores
from tests.toy_sources import HPO, write_ontology


@pytest.fixture(scope="module")
def ontology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ontology(tmp_path_factory.mktemp("ontology"))


def make(ontology: Path, diseases: list[Disease] | None = None, **changes: float) -> FindingModel:
    rates = Rates.model_validate(HPO["rates"] | changes)
    return make_model(ontology, diseases=diseases or read_cohort(), rates=rates)


def everyone(model: FindingModel) -> Scorer:
    return Scorer(model, model.phenome.possible(sex=None, age=None))


def draw_cases(model: FindingModel, count: int) -> pd.DataFrame:
    rows = []
    for number, disease in product(range(count), range(len(model.diseases))):
        told, denied = everyone(model).draw(disease, seed=number * 1000 + disease)
        rows.append({"gold": disease, "phenotypes": told, "excluded_phenotypes": denied, "age": None, "sex": None})
    return pd.DataFrame(rows)


@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=8), st.integers(1, 4))
def test_few_heads_are_as_probable_as_counting_all_outcomes_says(coins: list[float], minimum: int) -> None:
    total = sum(
        np.prod([p if head else 1 - p for p, head in zip(coins, heads, strict=True)])
        for heads in product([True, False], repeat=len(coins))
        if sum(heads) < minimum
    )
    assert fewer(np.array([coins]), minimum)[0] == pytest.approx(total, abs=1e-8)


def test_drawn_findings_have_the_stated_probabilities(ontology: Path) -> None:
    model = make(ontology, read_cohort()[:2], minimum_findings=1)
    count = 4000
    drawn = [everyone(model).draw(0, seed=seed) for seed in range(count)]
    told = np.zeros(len(model.phenome.terms))
    for terms, _ in drawn:
        told[[model.phenome.position[term] for term in terms]] += 1
    error = np.sqrt(model.told[0] * (1 - model.told[0]) / count)
    assert np.all(np.abs(told / count - model.told[0]) < 5 * error + 0.01)


def test_expected_findings_are_as_asked(ontology: Path) -> None:
    plain = make(ontology, findings=4, noise=0, imprecision=0)
    assert plain.told.sum(axis=1) == pytest.approx(np.full(len(plain.diseases), 4))
    vague = make(ontology, findings=4, noise=0, imprecision=1)
    assert vague.told.sum(axis=1) == pytest.approx(np.full(len(plain.diseases), 4), rel=0.15)


def test_no_denied_finding_contradicts_a_told_one(ontology: Path) -> None:
    model = make(ontology, excluded=10)
    for number in range(200):
        told, denied = everyone(model).draw(number % len(model.diseases), seed=number)
        assert not {ancestor for term in told for ancestor in model.phenome.ancestors(term)} & set(denied)


def test_the_likelihood_sums_to_one_over_all_outcomes(ontology: Path) -> None:
    model = make(ontology, read_cohort()[:2], minimum_findings=2)
    phenome = model.phenome
    # Nine terms in three chains: all outcomes can be counted.
    possible = np.array([index in range(4) or index in range(30, 33) for index in range(len(phenome.terms))])
    scorer = Scorer(model, possible)
    terms = [phenome.terms[index] for index in np.flatnonzero(possible)]
    total = np.zeros(2)
    for states in product("tdp", repeat=len(terms)):
        told = [term for term, state in zip(terms, states, strict=True) if state == "t"]
        denied = [term for term, state in zip(terms, states, strict=True) if state == "d"]
        implied = {ancestor for term in told for ancestor in phenome.ancestors(term)}
        if len(told) >= 2 and not implied & set(denied):
            total += np.exp(scorer.log_likelihood(told, denied))
    assert total == pytest.approx(np.ones(2), abs=1e-6)


def test_the_posterior_is_calibrated_and_its_log_loss_is_its_entropy(ontology: Path) -> None:
    model = make(ontology, findings=2, noise=1, minimum_findings=1)
    cases = draw_cases(model, 60)
    gold = cases["gold"].to_numpy()
    found = posterior(model, cases, prior=np.full(len(model.diseases), 1 / len(model.diseases)))
    scores = Scores(found, gold, np.arange(len(gold)))
    right = (found.argmax(axis=1) == gold).astype(float)
    assert expected_calibration_error(scores) < 0.02
    assert right.mean() == pytest.approx(found.max(axis=1).mean(), abs=4 * right.std() / len(gold) ** 0.5)
    losses, entropy = log_losses(found, gold), -(found * np.log(found + 1e-300)).sum(axis=1)
    assert losses.mean() == pytest.approx(entropy.mean(), abs=4 * losses.std() / len(gold) ** 0.5)
    assert 0.3 < right.mean() < 0.99  # neither trivial nor hopeless, or the test would show nothing


def test_no_classifier_on_the_findings_beats_the_posterior(ontology: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import MultiLabelBinarizer

    model = make(ontology, findings=2, noise=1, minimum_findings=1)
    cases = draw_cases(model, 100)
    findings = MultiLabelBinarizer().fit_transform(cases["phenotypes"])
    half = len(cases) // 2
    fitted = LogisticRegression(max_iter=500).fit(findings[:half], cases["gold"][:half])
    test = cases[half:]
    found = posterior(model, test, prior=np.full(len(model.diseases), 1 / len(model.diseases)))
    best = (found.argmax(axis=1) == test["gold"]).to_numpy(dtype=float)
    other = (fitted.predict(findings[half:]) == test["gold"]).to_numpy(dtype=float)
    assert (other - best).mean() < 2 * (other - best).std() / len(test) ** 0.5


@settings(deadline=None)
@given(age=st.floats(0, 89), sex=st.sampled_from(["female", "male"]))
def test_sex_and_age_of_a_disease_are_a_distribution(age: float, sex: str) -> None:
    disease = read_cohort()[7]
    ages = np.linspace(0, 89, 8901)[:-1]
    densities = [np.exp(disease.log_likelihood(sex=None, age=float(value))) for value in ages]
    assert np.mean(densities) * 89 == pytest.approx(1, abs=0.01)
    assert np.exp(disease.log_likelihood(sex=sex, age=age)) > 0
    assert disease.log_likelihood(sex=None, age=None) == 0
    assert disease.log_likelihood(sex="other", age=None) == 0


def test_what_a_note_may_not_say_can_not_be_told(ontology: Path) -> None:
    diseases = [read_cohort()[0].model_copy(update={"name": "Number3 disease"}), *read_cohort()[1:]]
    strict = note_words(diseases, strict=True)
    assert not strict("Finding number3")
    assert strict("some disease of finding number4")
    whole = note_words(diseases, strict=False)
    assert whole("Finding number3")
    assert not whole("a number3 Disease")
    model = make_model(ontology, diseases=diseases, rates=Rates.model_validate(HPO["rates"]), allowed=strict)
    assert not any(
        "number3" in text
        for words in model.phenome.wordings.values()
        for kind in words.values()
        for text in kind
        if text.split()[-1] == "number3"
    )
