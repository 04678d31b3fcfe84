"""A learner on a tiny base model, a handful of notes, and a few steps of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_models import save_model

from stages.lib.abstention import Abstention
from stages.lib.adapter import Learner, Specification, make_learner, save_adapter
from stages.lib.calibration import Calibration, write_calibration
from stages.lib.conformal import Conformal
from stages.lib.lora import LoraParams
from stages.lib.model import Compute, start
from stages.lib.notes import Notes
from stages.lib.scaling import Temperature

COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=4)
HALF = COMPUTE.model_copy(update={"precision": "bfloat16"})
LORA = LoraParams(rank=2, alpha=4, dropout=0, layers=None, embeddings=False)
LORA_ON_TOP = LORA.model_copy(update={"layers": 1})
LORA_ON_WORDS = LORA.model_copy(update={"embeddings": True})
TEXTS = ["fever", "a longer note on joint pain and rash", "cough", "", "headache for three days", "ö ü 漢字"]
DIAGNOSES = ["Marfan syndrome", "Marfan", "Fabry disease", "Gaucher disease"]
TARGETS = [0, 1, 2, 3, 0, 1]


def specification(objective: str, *, layers: int | None = 2, quantisation: int | None = None) -> Specification:
    """Return what is made of the first layers of a base model."""
    model = {"max_length": 32, "keep": "start", "prompt": "{note} Diagnosis?", "quantisation": quantisation}
    chosen = {"objective": objective, "diagnoses": DIAGNOSES, "model": model | {"layers": layers}}
    return Specification.model_validate(chosen)


def make(base: Path, chosen: Specification, *, lora: LoraParams | None = LORA, **changes: Any) -> Learner:
    """Return a fresh learner, its random weights the same at each call."""
    import torch

    torch.manual_seed(1)
    settings = {"compute": COMPUTE, "device": start(COMPUTE), "gradient_checkpointing": False}
    return make_learner(chosen, base, lora=lora, **settings | changes)


def toy_notes(learner: Learner) -> Notes:
    """Return the notes as the learner reads them."""
    return Notes(learner.encode(TEXTS), TARGETS)


def descend(learner: Learner, *, steps: int = 3) -> list[float]:
    """Take a few steps down the loss of all notes, leave the learner ready to predict, and return the losses."""
    import torch

    notes, losses = toy_notes(learner), []
    optimizer = torch.optim.AdamW([weight for group in learner.weights() for weight in group], lr=0.01)
    learner.network.train()
    for _ in range(steps):
        loss, _, count = learner.loss(notes, range(len(TEXTS)), smoothing=0.05)
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    learner.network.eval()
    return losses


def save_tuned(folder: Path, objective: str, *, family: str = "llama") -> None:
    """Train a few steps, and write base, adapter and calibration.json into a folder."""
    base, chosen = save_model(folder / "base", family), specification(objective)
    learner = make(base, chosen)
    descend(learner)
    save_adapter(learner, chosen, folder / "adapter")
    calibration = Calibration(
        scaling=Temperature(method="temperature", temperature=2),
        diagnoses=DIAGNOSES,
        calibration_cases=10,
        abstention=Abstention(target_risk=0.2, certainty=0.9, threshold=0.4),
        conformal=Conformal(coverage=0.9, threshold=0.2, per_diagnosis=None),
    )
    write_calibration(calibration, folder / "calibration.json")


def gradients(learner: Learner) -> list[Any]:
    """Return the gradients of what is trained, in training mode, of the loss of all notes."""
    learner.network.train()
    learner.loss(toy_notes(learner), range(len(TEXTS)), smoothing=0)[0].backward()
    return [weight.grad for group in learner.weights() for weight in group]
