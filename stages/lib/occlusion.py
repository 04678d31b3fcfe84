"""Attribute a diagnosis to the words of a note: a learner and a text in, a number for each word out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.lib.adapter import Learner

WORD = re.compile(r"\s*\S+\s*$|\s*\S+\s+")


def words_of(text: str) -> list[str]:
    """Return the text's words, each with the white space after it; joined, they are the text."""
    return [match[0] for match in WORD.finditer(text)]


def attributions(learner: Learner, text: str, *, diagnosis: int) -> list[float]:
    """Return for each word of the text how much the log odds of the diagnosis fall without it, in nats.

    Occlusion asks the model alone, so that it serves every objective and architecture (Zeiler & Fergus 2014; Li, Monroe
    & Jurafsky 2016); log odds, the weight of evidence, tell words apart where the model is sure, too (Robnik-Sikonja &
    Kononenko 2008). A word that `model.max_length` cuts off has 0.
    """
    import numpy as np
    from scipy.special import logsumexp

    words = words_of(text)
    without = ["".join([*words[:place], *words[place + 1 :]]) or " " for place in range(len(words))]
    scores = learner.scores(learner.encode([text, *without])).astype("float64")
    found = scores[:, diagnosis] - logsumexp(np.delete(scores, diagnosis, axis=1), axis=1)
    return [float(found[0] - value) for value in found[1:]]
