"""Fine-tune: training and validation records and a base model in, a LoRA adapter and the curves out."""

from __future__ import annotations

import json

from pydantic import Field

from stages.lib.adapter import Specification, make_learner, save_adapter
from stages.lib.learner import TrainParams, fit
from stages.lib.model import Compute, ModelParams, start
from stages.lib.notes import Notes, longer
from stages.lib.records import read_records
from stages.lib.stage import In, Out, Strict, run


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


def train(params: Params, augmented: In, validation: In, base: In, adapter: Out, training: Out, losses: Out) -> None:
    """Fine-tune a LoRA adapter for the objective on the training split; keep the best epoch on validation."""
    import pandas as pd
    import torch

    device = start(params.compute)
    torch.manual_seed(params.seed)
    splits = {"train": read_records(augmented), "validation": read_records(validation)}
    diagnoses = sorted(splits["train"]["diagnosis"].unique())
    specification = Specification(objective=params.train.objective, diagnoses=diagnoses, model=params.model)
    learner = make_learner(specification, base, lora=params.train.lora, compute=params.compute, device=device)
    notes = {
        name: Notes(
            learner.encode(records["text"].tolist()),
            [diagnoses.index(diagnosis) for diagnosis in records["diagnosis"]],
        )
        for name, records in splits.items()
    }
    history = fit(learner, notes, params.train, seed=params.seed)

    save_adapter(learner, specification, adapter)
    pd.DataFrame(history).round(5).to_csv(losses, index=False)
    best = min(history, key=lambda row: row["validation"])
    summary = {
        "objective": params.train.objective,
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "train_log_loss": round(best["train"], 5),
        "validation_log_loss": round(best["validation"], 5),
        "validation_accuracy": round(best["validation_accuracy"], 5),
        "trained_parameters": sum(weight.numel() for group in learner.weights() for weight in group),
        "tokens_per_epoch": sum(map(len, notes["train"].tokens)),
        "notes_cut": sum(
            longer(splits["train"]["text"].tolist(), learner.tokenizer, max_length=params.model.max_length)
        ),
    }
    training.write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    run(train)
