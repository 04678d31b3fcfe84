"""The untuned language model, asked for the diagnosis: records in, its predictions for a fixed sample of them out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.generator import make_generator
from stages.lib.model import Compute, ModelParams, Prompt, freeze, load_language_model, load_tokenizer, start
from stages.lib.predictions import predictions
from stages.lib.stage import Strict, log

if TYPE_CHECKING:
    import pandas as pd


class ZeroShot(Strict):
    """The untuned base model, which has seen no case of the training split."""

    cases: int = Field(ge=1, le=1_000_000)
    """Most records of the calibration and of the test split that it predicts; drawn by a hash of their ids."""
    max_length: int = Field(ge=8, le=131072)
    """Longest note in tokens, of which the start is kept."""


def zero_shot(
    records: Mapping[str, pd.DataFrame],
    base: Path,
    *,
    settings: ZeroShot,
    prompt: Prompt,
    compute: Compute,
) -> list[pd.DataFrame]:
    """Return predictions of the calibration and test splits' samples over the training split's diagnoses.

    Raise StageError where the base model is an encoder.
    """
    from scipy.special import softmax

    device = start(compute)
    diagnoses = sorted(records["train"]["diagnosis"].unique())
    network = load_language_model(base, layers=None, key="baselines.zero_shot")
    network.to(device)
    model = ModelParams(layers=None, max_length=settings.max_length, keep="start", prompt=prompt, quantisation=None)
    generator = make_generator(
        network, load_tokenizer(base), diagnoses=diagnoses, model=model, compute=compute, device=device
    )
    freeze(network, compute, device)
    tables = []
    for split in ("calibration", "test"):
        drawn = sample(records[split], settings.cases)
        scores = generator.scores(generator.encode(drawn["text"].tolist()))
        probabilities = softmax(scores.astype("float64"), axis=1)
        tables.append(predictions(drawn, probabilities, model="zero_shot", split=split, diagnoses=diagnoses))
    log.info("zero_shot: applied to %d of %d test records", len(tables[-1]), len(records["test"]))
    return tables


def sample(records: pd.DataFrame, cases: int) -> pd.DataFrame:
    """Return at most `cases` records, those whose ids have the lowest hashes, in their order.

    A record that is added or removed changes the sample by one at most.
    """
    hashes = records["record_id"].map(lambda name: hashlib.sha256(str(name).encode()).hexdigest())
    return records.loc[hashes.sort_values().index[:cases].sort_values()]
