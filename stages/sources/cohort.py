"""Which diseases are simulated: cohort.yaml, typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from stages.lib.params import read_params
from stages.lib.stage import Strict

Age = Annotated[float, Field(ge=0, le=89)]  # Safe Harbor counts ages over 89 as PHI


class Disease(Strict):
    """A disease of the cohort."""

    id: str = Field(pattern=r"^(ORPHA|OMIM|DECIPHER):\d+$")
    """Identifier in phenotype.hpoa."""
    name: str = Field(min_length=1)
    """The diagnosis, as a model shall name it."""
    group: str = Field(min_length=1)
    """Diseases that clinicians confuse with each other share it."""
    ages: tuple[Age, Age]
    """Lowest and highest age when seen, in years."""
    male: float = Field(ge=0, le=1)
    """Share of male patients."""

    @model_validator(mode="after")
    def _ordered(self) -> Disease:
        if self.ages[0] >= self.ages[1]:
            raise ValueError("ages: the first must be lower than the second")
        return self


class Cohort(Strict):
    """cohort.yaml."""

    diseases: list[Disease] = Field(min_length=2)
    """The label space."""


def read_cohort() -> list[Disease]:
    """Read cohort.yaml; raise StageError with a line per error."""
    return read_params(Cohort, ["diseases"], str(Path(__file__).with_name("cohort.yaml"))).diseases
