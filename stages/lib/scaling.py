"""Calibrators of probabilities: fitted on the calibration split, kept as numbers, applied to any array of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from stages.lib.metrics import SMALLEST, log_losses
from stages.lib.params import Strict

if TYPE_CHECKING:
    import numpy as np

DIGITS = 6  # of the numbers that are kept


class Temperature(Strict):
    """One number for all (Guo et al. 2017, On calibration of modern neural networks)."""

    method: Literal["temperature"]
    """Its name."""
    temperature: float = Field(gt=0)
    """Above 1 it makes the model less certain."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return softmax(log p / temperature)."""
        return apply_temperature(probabilities, self.temperature)


class Vector(Strict):
    """A scale and a shift for each diagnosis (Guo et al. 2017)."""

    method: Literal["vector"]
    """Its name."""
    scales: list[float]
    """Of log p, by diagnosis."""
    shifts: list[float]
    """Added to it, by diagnosis."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return softmax(scale log p + shift)."""
        import numpy as np

        return _softmax(np.array(self.scales) * _logarithms(probabilities) + np.array(self.shifts))


class Curve(Strict):
    """A monotone function by its corners; between them it is linear, beyond them constant."""

    x: list[float]
    """Probabilities of the model."""
    y: list[float]
    """Calibrated ones."""


class Isotonic(Strict):
    """A monotone curve for each diagnosis against the rest, normalised (Zadrozny & Elkan 2002)."""

    method: Literal["isotonic"]
    """Its name."""
    curves: list[Curve]
    """By diagnosis."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the curves' values, which are above 0, as shares of their sum."""
        import numpy as np

        columns = [np.interp(p, curve.x, curve.y) for p, curve in zip(probabilities.T, self.curves, strict=True)]
        values = np.column_stack(columns)
        shares: np.ndarray = values / values.sum(axis=1, keepdims=True)
        return shares


Scaling = Annotated[Temperature | Vector | Isotonic, Field(discriminator="method")]


def fit_temperature(probabilities: np.ndarray, gold: np.ndarray) -> Temperature:
    """Return the temperature that minimises log loss, 1 of no cases."""
    from scipy.optimize import minimize_scalar

    if not len(gold):
        return Temperature(method="temperature", temperature=1.0)

    def loss(log_temperature: float) -> float:
        scaled = apply_temperature(probabilities, float(2.0**log_temperature))
        return float(log_losses(scaled, gold).mean())

    found = float(2.0 ** minimize_scalar(loss, bounds=(-6, 6), method="bounded").x)
    return Temperature(method="temperature", temperature=round(found, DIGITS))


def fit_vector(probabilities: np.ndarray, gold: np.ndarray) -> Vector:
    """Return the scales and shifts that minimise log loss."""
    import numpy as np
    from scipy.optimize import minimize

    logarithms = _logarithms(probabilities)
    diagnoses = logarithms.shape[1]
    one_hot = np.eye(diagnoses)[gold]

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        scales, shifts = np.split(numbers, 2)
        scaled = _softmax(scales * logarithms + shifts)
        error = (scaled - one_hot) / len(gold)
        slope = np.concatenate([(error * logarithms).sum(axis=0), error.sum(axis=0)])
        return float(log_losses(scaled, gold).mean()), slope

    start = np.concatenate([np.ones(diagnoses), np.zeros(diagnoses)])
    scales, shifts = np.split(minimize(loss, start, jac=True, method="L-BFGS-B").x.round(DIGITS), 2)
    return Vector(method="vector", scales=scales.tolist(), shifts=shifts.tolist())


def fit_isotonic(probabilities: np.ndarray, gold: np.ndarray) -> Isotonic:
    """Return the curves of isotonic regression, kept between 1 / (n + 1) and n / (n + 1), n the number of cases."""
    from sklearn.isotonic import IsotonicRegression

    lowest = 1 / (len(gold) + 1)
    curves = []
    for diagnosis, column in enumerate(probabilities.T):
        fitted = IsotonicRegression(y_min=lowest, y_max=1 - lowest).fit(column, gold == diagnosis)
        corners = (fitted.X_thresholds_, fitted.y_thresholds_)
        x, y = ([float(f"{value:.{DIGITS}g}") for value in values] for values in corners)
        curves.append(Curve(x=x, y=y))
    return Isotonic(method="isotonic", curves=curves)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Scaling]] = {
    "temperature": fit_temperature,
    "vector": fit_vector,
    "isotonic": fit_isotonic,
}


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(log p / temperature), (records, diagnoses)."""
    return _softmax(_logarithms(probabilities) / temperature)


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    import numpy as np

    logarithms: np.ndarray = np.log(np.clip(probabilities, SMALLEST, 1))
    return logarithms


def _softmax(scores: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    shares: np.ndarray = softmax(scores, axis=1)
    return shares
