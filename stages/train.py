"""Fine-tune: training and validation records and a base model in, an adapter and the curves out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from stages.lib.adapter import Learner, Specification, make_learner, save_adapter
from stages.lib.checkpoint import open_checkpoint
from stages.lib.curves import shown
from stages.lib.findings import common_findings
from stages.lib.learner import TrainParams, best_epoch, fit
from stages.lib.lineage import write_provenance
from stages.lib.memory import TRAINING, explained
from stages.lib.model import Compute, ModelParams, start
from stages.lib.notes import Notes, longer
from stages.lib.records import read_records
from stages.lib.stage import In, Out, Strict, run
from stages.lib.workers import start_workers

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


class Params(Strict):
    """Parameters of the stage."""

    seed: int = Field(ge=0)
    """Seed of initial weights, dropout and the order of notes."""
    compute: Compute
    """Device and precision."""
    model: ModelParams
    """The part of the base model that is used."""
    train: TrainParams
    """The fit."""

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.model.quantisation and not self.train.lora:
            raise ValueError("train.lora: null: quantised weights cannot train; set model.quantisation to null")
        return self


def train(
    params: Params, augmented: In, validation: In, base: In, ontology: In, adapter: Out, training: Out, losses: Out
) -> None:
    """Fine-tune the base model for the objective on the training split; keep the best epoch on validation."""
    import pandas as pd
    import torch

    inputs = {"augmented": augmented, "validation": validation, "base": base, "ontology": ontology}
    device = start(params.compute)
    workers = start_workers(device)
    torch.manual_seed(params.seed)
    splits = {"train": read_records(augmented), "validation": read_records(validation)}
    diagnoses = sorted(splits["train"]["diagnosis"].unique())
    specification = Specification(objective=params.train.objective, diagnoses=diagnoses, model=params.model)
    learner = make_learner(
        specification,
        base,
        lora=params.train.lora,
        compute=params.compute,
        device=device,
        gradient_checkpointing=params.train.gradient_checkpointing,
    )
    workers.prepare(learner.network)
    notes = read_notes(learner, splits, diagnoses, ontology=ontology, settings=params.train)
    checkpoint = open_checkpoint(params, [*inputs.values()], stage="train", device=device)
    workers.require_same(checkpoint.folder.name)
    with explained(TRAINING), shown() if workers.first else nullcontext() as curves:
        history = fit(
            learner, notes, params.train, seed=params.seed, workers=workers, checkpoint=checkpoint, curves=curves
        )

    save_adapter(learner, specification, adapter)
    write_provenance(adapter, inputs=inputs, params=params)
    pd.DataFrame(history).round(5).to_csv(losses, index=False)
    cut = sum(longer(splits["train"]["text"].tolist(), learner.tokenizer, max_length=params.model.max_length))
    found = summary(learner, notes["train"], history, params.train, cut=cut)
    training.write_text(json.dumps(found, indent=2) + "\n")
    if workers.first:
        checkpoint.remove()


def read_notes(
    learner: Learner,
    splits: Mapping[str, pd.DataFrame],
    diagnoses: list[str],
    *,
    ontology: Path,
    settings: TrainParams,
) -> dict[str, Notes]:
    """Return the notes of both splits as the learner reads them, with their diagnoses' places in `diagnoses`.

    Those of `train` come with their findings, where these are to be learnt.
    """
    notes = {
        name: Notes(learner.encode(records["text"].tolist()), [*map(diagnoses.index, records["diagnosis"])])
        for name, records in splits.items()
    }
    if settings.objective == "classify" and settings.findings_weight:
        notes["train"] = replace(notes["train"], findings=common_findings(splits["train"], ontology))
    return notes


def summary(
    learner: Learner, notes: Notes, history: list[dict[str, float]], settings: TrainParams, *, cut: int
) -> dict[str, str | float]:
    """Return what metrics say of a fit: of its best epoch, and of all of it; `cut` is the number of cut notes."""
    best = best_epoch(history, settings)
    return {
        "objective": settings.objective,
        "epochs": len(history),
        "steps": history[-1]["steps"],
        "best_epoch": best["epoch"],
        "train_log_loss": round(best["train"], 5),
        "validation_log_loss": round(best["validation"], 5),
        "validation_log_loss_error": round(best["validation_error"], 5),
        "validation_accuracy": round(best["validation_accuracy"], 5),
        "validation_macro_f1": round(best["validation_macro_f1"], 5),
        "trained_parameters": sum(weight.numel() for group in learner.weights() for weight in group),
        "tokens_per_epoch": sum(map(len, notes.tokens)),
        "notes_cut": cut,
        "findings": len({number for found in notes.findings for number in found}),
    }


if __name__ == "__main__":
    run(train, several=True)
