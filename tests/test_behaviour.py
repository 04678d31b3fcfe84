"""How a trained model behaves: it learns what it is shown, moves the right way, cannot tell one name from another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.special import softmax

from stages.lib.adapter import Learner, Specification, make_learner
from stages.lib.learner import TrainParams, fit
from stages.lib.model import Compute, ModelParams, start
from stages.lib.notes import Notes
from stages.lib.phi.engine import load_finder
from stages.lib.phi.redaction import redact
from stages.lib.workers import Workers

ROOT = Path(__file__).parent.parent
ONTOLOGY = ROOT / "tests/cases/scrub/one-patient-two-notes/given/data/ontology"
COMPUTE = Compute(device="cpu", precision="float32", threads=1, batch_size=8)
SIGNS = {"cough": 0, "rash": 1}
TEMPLATES = ["Seen with {}.", "Complains of {} at night.", "{} for a week, no fever.", "Again {}; mother has it."]


@dataclass(frozen=True)
class Model:
    """A tiny model that has been shown coughs and rashes."""

    learner: Learner
    accuracy: float

    def cough(self, text: str) -> float:
        """Return the probability of the diagnosis of coughs."""
        return float(softmax(self.learner.scores(self.learner.encode([text])))[0, 0])


@pytest.fixture(scope="module", params=["classify", "generate"])
def model(tiny_model: Path, request: pytest.FixtureRequest) -> Model:
    import torch

    defaults = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    changes = {"objective": request.param, "epochs": 40, "patience": 40, "learning_rate": 0.02, "batch_size": 4}
    changes["token_dropout"] = 0.0
    settings = TrainParams.model_validate(defaults | changes)
    torch.manual_seed(1)
    specification = Specification(
        objective=request.param,
        diagnoses=["B", "M"],
        model=ModelParams(layers=2, max_length=64, keep="start", prompt="{note}", quantisation=None),
    )
    learner = make_learner(specification, tiny_model, lora=settings.lora, compute=COMPUTE, device=start(COMPUTE))
    texts = [template.format(sign) for template in TEMPLATES for sign in SIGNS]
    notes = Notes(learner.encode(texts), [*SIGNS.values()] * len(TEMPLATES))
    history = fit(learner, {"train": notes, "validation": notes}, settings, seed=1, workers=Workers(rank=0, count=1))
    learner.network.eval()
    return Model(learner, max(row["validation_accuracy"] for row in history))


def test_the_model_learns_what_it_is_shown(model: Model) -> None:
    assert model.accuracy == 1


@pytest.mark.parametrize("template", TEMPLATES)
def test_another_sign_moves_the_probability_the_right_way(model: Model, template: str) -> None:
    assert model.cough(template.format("cough")) > 0.5 > model.cough(template.format("rash"))


NOTE = "{name} came on {date} with a cough and a mild fever. MRN {mrn}. Call {phone} with the results."
PATIENTS = [
    {"name": "Mr. John Whitfield", "date": "03/04/2021", "mrn": "48213377", "phone": "(617) 555-0147"},
    {"name": "Mrs. Mary Ellison", "date": "11/28/2019", "mrn": "90125514", "phone": "(212) 555-0199"},
]


def test_names_dates_and_numbers_cannot_move_a_prediction(model: Model, ner_models: Path) -> None:
    finder = load_finder(ner_models, ONTOLOGY, 0.35, ("NRP",))
    results = redact([[NOTE.format(**patient)] for patient in PATIENTS], finder.find, finder.lexicon)
    scrubbed = [text for patient in results for text, _ in patient]
    assert scrubbed[0] == scrubbed[1]
    np.testing.assert_equal(*[model.cough(text) for text in scrubbed])
