"""models/calibration.json: how a tuned model's probabilities are calibrated, when it answers, and with which set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, TypeAdapter

from stages.lib.abstention import Abstention
from stages.lib.conformal import Conformal
from stages.lib.params import Strict
from stages.lib.scaling import Scaling

if TYPE_CHECKING:
    import numpy as np


class Calibration(Strict):
    """What belongs to a model beside its base and adapter."""

    scaling: Scaling
    """The calibrator and its numbers, which stand at the top of the file."""
    diagnoses: list[str]
    """In the order of the columns of probabilities."""
    calibration_cases: int = Field(ge=1)
    """Cases that all of this was learnt from."""
    abstention: Abstention
    """When the model answers, by calibrated probabilities."""
    conformal: Conformal
    """Its sets of diagnoses, by calibrated probabilities."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities, (records, diagnoses), of what the model gave for `diagnoses`."""
        return self.scaling.apply(probabilities)


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write the file."""
    content = calibration.model_dump()
    content = content.pop("scaling") | content
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_calibration(path: Path) -> Calibration:
    """Read the file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    own = {name: content.pop(name) for name in list(content) if name not in Calibration.model_fields}
    scaling: Scaling = TypeAdapter(Scaling).validate_python(own)
    return Calibration(scaling=scaling, **content)
