"""In use: a model abstains at a risk that holds, its sets cover, and net benefit follows its definition."""

from __future__ import annotations

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from toy_scores import drawn, tempered

from stages.calibrate import parts
from stages.lib.abstention import CERTAINTY, learn_abstention, risk_by_coverage
from stages.lib.conformal import Conformal, learn_conformal, lowest_probability
from stages.lib.decision import at_prevalence, decision_curves
from stages.lib.scaling import METHODS
from stages.lib.scores import Scores
from stages.lib.stage import StageError

NAMES = list("abcdef")


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose features are its probabilities."""

    classes_ = np.arange(6)
    fitted_ = True

    def fit(self, x: np.ndarray, y: np.ndarray) -> Given:
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return x

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x).argmax(axis=1)


def sets_of(scores: Scores, new: Scores, coverage: float) -> np.ndarray:
    found = learn_conformal(scores.probabilities, scores.gold, coverage=coverage, diagnoses=NAMES)
    return found.model_copy(update={"per_diagnosis": None}).sets(new.probabilities, NAMES)


@pytest.mark.parametrize("coverage", [0.6, 0.9, 0.95])
def test_sets_are_those_of_mapie_and_never_empty(coverage: float) -> None:
    scores, new = drawn(1, cases=200), drawn(2, cases=500)
    peer = SplitConformalClassifier(Given(), confidence_level=coverage, conformity_score="lac", prefit=True)
    _, theirs = peer.conformalize(scores.probabilities, scores.gold).predict_set(new.probabilities)
    theirs = theirs[:, :, 0].copy()
    theirs[np.arange(500), new.predicted] = True
    assert (sets_of(scores, new, coverage) == theirs).mean() > 0.9999
    assert sets_of(scores, new, coverage).any(axis=1).all()


@pytest.mark.parametrize(("cases", "coverage"), [(19, 0.9), (184, 0.9), (500, 0.8)])
def test_sets_cover_what_is_promised_and_hardly_more(cases: int, coverage: float) -> None:
    covered = []
    for seed in range(400):
        scores, new = tempered(drawn(seed, cases=cases), 0.5), tempered(drawn(seed + 10_000, cases=300), 0.5)
        found = learn_conformal(scores.probabilities, scores.gold, coverage=coverage, diagnoses=NAMES)
        held = new.probabilities >= found.threshold
        covered.append(held[np.arange(300), new.gold].mean())
    noise = 4 * np.std(covered) / len(covered) ** 0.5
    assert coverage - noise <= np.mean(covered) <= coverage + 1 / (cases + 1) + noise


@pytest.mark.parametrize(
    ("method", "cases", "simulations"), [("temperature", 184, 150), ("vector", 1000, 8), ("isotonic", 1000, 30)]
)
def test_sets_on_calibrated_probabilities_cover_what_is_promised_but_for_a_point(
    method: str, cases: int, simulations: int
) -> None:
    covered = []
    for seed in range(simulations):
        scores, new = tempered(drawn(seed, cases=cases), 0.5), tempered(drawn(seed + 10_000, cases=1000), 0.5)
        fitted, rest = parts(scores, method=method)
        scaling = METHODS[method](fitted.probabilities, fitted.gold)
        found = learn_conformal(scaling.apply(rest.probabilities), rest.gold, coverage=0.9, diagnoses=NAMES)
        held = found.sets(scaling.apply(new.probabilities), NAMES)
        covered.append(held[np.arange(1000), new.gold].mean())
    assert np.mean(covered) >= 0.89 - 2 * np.std(covered) / len(covered) ** 0.5


def test_each_diagnosis_with_fifty_cases_gets_a_threshold_and_the_others_share_one() -> None:
    scores = drawn(1, cases=600)
    few = scores.at((scores.gold > 1) | (np.arange(600) < 100))
    found = learn_conformal(few.probabilities, few.gold, coverage=0.8, diagnoses=NAMES).per_diagnosis
    assert found is not None
    p_gold = few.probabilities[np.arange(len(few.gold)), few.gold]
    assert found["a"] == found["b"] == lowest_probability(p_gold[few.gold <= 1], 0.8)
    assert found["c"] == lowest_probability(p_gold[few.gold == 2], 0.8) != found["d"]
    none = drawn(1, cases=100)
    assert learn_conformal(none.probabilities, none.gold, coverage=0.8, diagnoses=NAMES).per_diagnosis is None


def test_sets_of_each_diagnosis_cover_where_one_threshold_for_all_does_not() -> None:
    def hard(seed: int) -> Scores:
        scores = drawn(seed, cases=6000)
        return Scores(scores.probabilities * np.array([0.2, 1, 1, 1, 1, 1]), scores.gold, scores.groups)

    learnt, new = hard(1), hard(2)
    found = learn_conformal(learnt.probabilities, learnt.gold, coverage=0.9, diagnoses=NAMES)
    own, common = found.sets(new.probabilities, NAMES), sets_of(learnt, new, 0.9)
    first = new.gold == 0
    assert own[first, 0].mean() == pytest.approx(0.9, abs=0.03)
    assert common[first, 0].mean() < 0.8


def test_with_too_few_cases_for_the_promise_every_diagnosis_is_in_the_set() -> None:
    assert lowest_probability(np.array([0.5] * 8), 0.9) == 0
    assert lowest_probability(np.array([0.5] * 9), 0.9) == 0.5
    everything = Conformal(coverage=0.9, threshold=0.0, per_diagnosis=None)
    assert everything.sets(drawn(1).probabilities, NAMES).all()


@pytest.mark.parametrize("distortion", [1.0, 0.4])
def test_the_risk_of_answers_keeps_its_target_as_often_as_promised(distortion: float) -> None:
    population = tempered(drawn(99_999, cases=20_000, sharpness=2), distortion)
    wrong = population.predicted != population.gold
    broken = answered = 0
    simulations = 100
    for seed in range(simulations):
        scores = tempered(drawn(seed, cases=300, sharpness=2), distortion)
        found = learn_abstention(scores.probabilities, scores.gold, target_risk=0.2)
        given = found.answered(population.probabilities)
        answered += given.any()
        broken += given.any() and wrong[given].mean() > 0.2
    assert broken / simulations <= 1 - CERTAINTY + 3 * (0.09 / simulations) ** 0.5
    assert answered / simulations > 0.9


def test_where_no_threshold_is_shown_to_keep_the_target_nothing_is_answered() -> None:
    guesses = drawn(1, cases=300, sharpness=0.01)
    found = learn_abstention(guesses.probabilities, guesses.gold, target_risk=0.1)
    assert found.threshold is None
    assert not found.answered(guesses.probabilities).any()


def test_a_perfect_model_answers_everything() -> None:
    gold = np.arange(300) % 6
    found = learn_abstention(np.eye(6)[gold], gold, target_risk=0.05)
    assert found.answered(np.eye(6)[gold]).all()


def test_risk_by_coverage_ends_with_every_case_and_follows_its_definition() -> None:
    scores = drawn(1, cases=500)
    curve = risk_by_coverage(scores)
    assert len(curve) <= 101
    assert (np.diff(curve["coverage"]) > 0).all()
    assert (np.diff(curve["threshold"]) < 0).all()
    for coverage, risk, threshold in curve.to_numpy():
        given = scores.confidence >= threshold
        assert coverage == pytest.approx(given.mean())
        assert risk == pytest.approx((scores.predicted != scores.gold)[given].mean())
    assert curve["coverage"].iloc[-1] == 1
    tied = Scores(np.full((9, 3), 1 / 3), np.zeros(9, dtype=int), np.arange(9))
    assert risk_by_coverage(tied).to_numpy().tolist() == [[1.0, 0.0, pytest.approx(1 / 3)]]


def test_net_benefit_is_counted_in_a_population_of_the_declared_prevalence() -> None:
    scores = drawn(1, cases=400)
    table = decision_curves(scores, {"b": 0.02}, NAMES)
    positive = scores.gold == 1
    share = positive.mean()
    assert table["threshold"].tolist() == pytest.approx([number / 100 for number in range(1, 100)])
    for row in table.to_dict("records")[::7]:
        threshold = row["threshold"]
        odds = scores.probabilities[:, 1] / (1 - scores.probabilities[:, 1]) * (0.02 / 0.98) / (share / (1 - share))
        acted = odds / (1 + odds) >= threshold
        patients = 1_000_000
        sick, well = patients * 0.02, patients * 0.98
        helped, harmed = sick * acted[positive].mean(), well * acted[~positive].mean()
        assert row["tuned"] == pytest.approx((helped - harmed * threshold / (1 - threshold)) / patients)
        assert row["all"] == pytest.approx((sick - well * threshold / (1 - threshold)) / patients)
        assert row["none"] == 0


def test_at_the_observed_prevalence_probabilities_stay_as_they_are() -> None:
    p = np.linspace(0, 1, 11)
    assert at_prevalence(p, 0.3, 0.3) == pytest.approx(p)


def test_without_a_declared_prevalence_there_is_a_header_alone() -> None:
    table = decision_curves(drawn(1), {}, NAMES)
    assert table.empty
    assert list(table.columns) == ["diagnosis", "threshold", "tuned", "all", "none"]


def test_a_prevalence_of_an_unknown_diagnosis_is_one_line() -> None:
    with pytest.raises(StageError) as raised:
        decision_curves(drawn(1), {"b": 0.1, "flu": 0.1}, NAMES)
    assert str(raised.value) == ("params.yaml: evaluate.prevalence: no diagnosis 'flu'; choose from a, b, c, d, e, f")


def test_a_diagnosis_without_test_cases_has_no_curve_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    scores = drawn(1)
    assert decision_curves(scores.at(scores.gold != 1), {"b": 0.1}, NAMES).empty
    assert "b: the test split has no cases with it" in caplog.text
