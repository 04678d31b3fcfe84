"""Scores whose truth is known: perfectly calibrated ones, gold drawn from the probabilities."""

from __future__ import annotations

import numpy as np

from stages.lib.scaling import apply_temperature
from stages.lib.scores import Scores


def drawn(seed: int, *, cases: int = 400, diagnoses: int = 6, sharpness: float = 1.0) -> Scores:
    """Return perfectly calibrated scores: gold is drawn from the probabilities, each case is its own group."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2 * sharpness, (cases, diagnoses))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = (probabilities.cumsum(axis=1) > generator.random((cases, 1))).argmax(axis=1)
    return Scores(probabilities, gold, np.arange(cases))


def tempered(scores: Scores, temperature: float) -> Scores:
    """Return the scores with a distorted confidence."""
    return Scores(apply_temperature(scores.probabilities, temperature), scores.gold, scores.groups)
