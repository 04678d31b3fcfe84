"""The part of a GA4GH phenopacket (version 2) that a case is made from."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Lenient(BaseModel):
    """A part of a phenopacket: only what is read from it."""

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True, frozen=True)


class Term(Lenient):
    """An ontology class."""

    id: str = Field(min_length=1)
    label: str = Field(min_length=1)


class Feature(Lenient):
    """A phenotype that was observed or, if excluded, looked for and not found."""

    type: Term
    excluded: bool = False


class Gene(Lenient):
    """The gene of a variant."""

    symbol: str


class Descriptor(Lenient):
    """A variant."""

    gene_context: Gene | None = None


class Variant(Lenient):
    """A variant's interpretation."""

    variation_descriptor: Descriptor | None = None


class Genomic(Lenient):
    """What a gene or variant means for the diagnosis."""

    gene: Gene | None = None
    variant_interpretation: Variant | None = None

    def symbol(self) -> str | None:
        """Return the gene's symbol."""
        variant = self.variant_interpretation.variation_descriptor if self.variant_interpretation else None
        gene = self.gene or (variant.gene_context if variant else None)
        return gene.symbol if gene else None


class Diagnosis(Lenient):
    """The disease and its genomic evidence."""

    disease: Term | None = None
    genomic_interpretations: tuple[Genomic, ...] = ()


class Interpretation(Lenient):
    """A diagnosis and how it was reached."""

    diagnosis: Diagnosis | None = None


class Disease(Lenient):
    """A disease in the patient's record."""

    term: Term
    excluded: bool = False


class Age(Lenient):
    """An age."""

    iso8601duration: str = Field(alias="iso8601duration")
    """ISO 8601, such as P3Y6M; a value that is none says nothing."""

    def years(self) -> float | None:
        """Return the age in years, rounded to two digits."""
        match = re.fullmatch(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T.*)?", self.iso8601duration)
        if not match or not any(match.groups()):
            return None
        years, months, weeks, days = (int(part or 0) for part in match.groups())
        return round(years + months / 12 + weeks / 52.18 + days / 365.25, 2)


class Time(Lenient):
    """A time in a patient's life; only ages are read."""

    age: Age | None = None


class Subject(Lenient):
    """The patient."""

    id: str = Field(min_length=1)
    sex: str = "UNKNOWN_SEX"
    time_at_last_encounter: Time | None = None


class Reference(Lenient):
    """A publication."""

    id: str = ""


class MetaData(Lenient):
    """Where a phenopacket comes from."""

    external_references: tuple[Reference, ...] = ()


class Phenopacket(Lenient):
    """A patient, after https://phenopacket-schema.readthedocs.io (version 2.0)."""

    id: str = Field(min_length=1)
    subject: Subject
    phenotypic_features: tuple[Feature, ...] = ()
    interpretations: tuple[Interpretation, ...] = ()
    diseases: tuple[Disease, ...] = ()
    meta_data: MetaData = MetaData()

    def observed(self) -> dict[str, str]:
        """Return the label of each observed phenotype by id."""
        return {feature.type.id: feature.type.label for feature in self.phenotypic_features if not feature.excluded}

    def diagnosis(self) -> Term | None:
        """Return the interpreted disease, or else the first one that is not excluded."""
        interpreted = [item.diagnosis.disease for item in self.interpretations if item.diagnosis]
        diseases = [disease.term for disease in self.diseases if not disease.excluded]
        return next(filter(None, [*interpreted, *diseases]), None)

    def genes(self) -> list[str]:
        """Return the symbols of all genes that are named as evidence."""
        genomic = [g for item in self.interpretations if item.diagnosis for g in item.diagnosis.genomic_interpretations]
        return [symbol for item in genomic if (symbol := item.symbol())]

    def publication(self) -> str | None:
        """Return the PubMed id, from the references or else from an id such as PMID_123_patient."""
        for reference in self.meta_data.external_references:
            if re.fullmatch(r"PMID:\d+", reference.id):
                return reference.id
        match = re.match(r"PMID_(\d+)(?!\d)", self.id)
        return f"PMID:{match[1]}" if match else None
