"""Fine-tune: training and validation records and a base model in, a LoRA adapter with its head and the curves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from stages.lib.learner import Learner, Notes, TrainParams, fit
from stages.lib.model import (
    Compute,
    ModelParams,
    Specification,
    load_tokenizer,
    load_trunk,
    save_classifier,
    start,
    tokenize,
)
from stages.lib.records import read_records
from stages.lib.stage import In, Out, Strict, run

if TYPE_CHECKING:
    import torch


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
    """Fine-tune a LoRA adapter and a classification head on the training split; keep the best epoch on validation."""
    import pandas as pd
    import torch

    device = start(params.compute)
    torch.manual_seed(params.seed)
    tokenizer = load_tokenizer(base)
    splits = {"train": read_records(augmented), "validation": read_records(validation)}
    diagnoses = sorted(splits["train"]["diagnosis"].unique())
    notes = {
        name: Notes(
            tokenize(records["text"].tolist(), tokenizer, max_length=params.model.max_length),
            [diagnoses.index(diagnosis) for diagnosis in records["diagnosis"]],
        )
        for name, records in splits.items()
    }
    trunk, head = build(params, base, classes=len(diagnoses))
    learner = Learner(trunk.to(device), head.to(device), tokenizer.pad_token_id, params.compute, device)
    history = fit(learner, notes, params.train, seed=params.seed)

    save_classifier(trunk, head, Specification(diagnoses, params.model.layers, params.model.max_length), adapter)
    pd.DataFrame(history).round(5).to_csv(losses, index=False)
    best = min(history, key=lambda row: row["validation"])
    summary = {
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "train_log_loss": round(best["train"], 5),
        "validation_log_loss": round(best["validation"], 5),
        "validation_accuracy": round(best["validation_accuracy"], 5),
        "trained_parameters": sum(weight.numel() for weight in learner.weights()),
        "tokens_per_epoch": sum(map(len, notes["train"].tokens)),
    }
    training.write_text(json.dumps(summary, indent=2) + "\n")


def build(params: Params, base: Path, *, classes: int) -> tuple[Any, torch.nn.Linear]:
    """Return the trunk with fresh LoRA weights and a head whose first predictions are uniform."""
    import torch
    from peft import LoraConfig, get_peft_model

    lora = params.train.lora
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear")
    trunk = get_peft_model(load_trunk(base, layers=params.model.layers), config)
    head = torch.nn.Linear(trunk.config.hidden_size, classes)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return trunk, head


if __name__ == "__main__":
    run(train)
