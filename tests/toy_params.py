"""Parameters of every kind that a stage may have, and a document that they accept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from stages.lib.params import Strict


class Wheel(Strict):
    """A pinned wheel."""

    wheel: str = Field(pattern=r"^\S+==\S+$")
    """Name and version."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the archive."""


class Hub(Strict):
    """A pinned repository of the hub."""

    hub: str
    """Its name."""
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    """A commit."""


def kind_of(pin: Any) -> str | None:
    return next((name for name in ("wheel", "hub") if name in pin), None) if isinstance(pin, dict) else "wheel"


Pin = Annotated[Annotated[Wheel, Tag("wheel")] | Annotated[Hub, Tag("hub")], Discriminator(kind_of)]


class Source(Strict):
    """A file of cases."""

    file: str
    """Its name."""
    kind: Literal["csv", "tsv"]
    """How to read it."""
    limit: int = Field(ge=1)
    """Rows."""


class Train(Strict):
    """How to train."""

    rate: float = Field(gt=0, lt=1)
    """Per step."""
    epochs: int = Field(ge=1, le=100)
    """Passes over the data."""
    fractions: dict[str, float]
    """Of the records, by split."""
    sources: list[Literal["hpo", "phenopackets", "files"]]
    """In this order."""
    files: list[Source]
    """To read."""
    precision: Literal["bfloat16", "float32"] | Annotated[int, Field(ge=8, le=64)]
    """A name or a number of bits."""
    limit: int | None
    """Records, or all."""

    @field_validator("fractions")
    @classmethod
    def _sum_to_one(cls, fractions: dict[str, float]) -> dict[str, float]:
        if abs(sum(fractions.values()) - 1) > 1e-9:
            raise ValueError("must sum to 1")
        return fractions

    @model_validator(mode="after")
    def _few_epochs(self) -> Train:
        if self.rate > 0.5 and self.epochs > 50:
            raise ValueError("a rate above 0.5 allows at most 50 epochs")
        return self


class Params(Strict):
    """Parameters of a stage."""

    seed: int = Field(ge=0)
    """For all that is drawn."""
    train: Train
    """See there."""
    pins: dict[str, Pin]
    """By name."""


KEYS = ["seed", "train", "pins"]


def good() -> dict[str, Any]:
    return {
        "seed": 1,
        "train": {
            "rate": 0.1,
            "epochs": 3,
            "fractions": {"train": 0.5, "test": 0.5},
            "sources": ["hpo"],
            "files": [{"file": "a.csv", "kind": "csv", "limit": 3}],
            "precision": "bfloat16",
            "limit": None,
        },
        "pins": {"small": {"wheel": "a==1", "sha256": "0" * 64}, "large": {"hub": "b", "revision": "0" * 40}},
        "other": {"stage": 1},
    }
