"""The part of a GA4GH phenopacket, of version 1 or 2 of the schema, that a case is made from."""

from __future__ import annotations

import re

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

OLDEST = 120  # years: an age from there on is taken for an error
WIDEST = 10  # years: an age range above it says too little for an age
SETTLED = ("SOLVED", "COMPLETED")
# HPO's classes of severity and of laterality, as they read before a finding.
QUALIFIERS = {
    "HP:0012827": "borderline",
    "HP:0012825": "mild",
    "HP:0012826": "moderate",
    "HP:0012828": "severe",
    "HP:0012829": "profound",
    "HP:0012832": "bilateral",
    "HP:0012833": "unilateral",
    "HP:0012834": "right",
    "HP:0012835": "left",
}


class Lenient(BaseModel):
    """A part of a phenopacket: only what is read from it."""

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True, frozen=True)


class OntologyClass(Lenient):
    """An ontology class, or a publication by its id."""

    id: str = ""
    label: str = ""


class Feature(Lenient):
    """A phenotype that was observed or, if excluded, looked for and not found."""

    type: OntologyClass
    excluded: bool = Field(default=False, validation_alias=AliasChoices("excluded", "negated"))
    severity: OntologyClass = OntologyClass()
    modifiers: tuple[OntologyClass, ...] = ()

    def qualifiers(self) -> list[str]:
        """Return the words for severity and laterality; other modifiers are not told."""
        terms = [self.severity.id, *(modifier.id for modifier in self.modifiers)]
        return [QUALIFIERS[term] for term in dict.fromkeys(terms) if term in QUALIFIERS]


class Gene(Lenient):
    """A gene, alone, as evidence for a diagnosis, or around a variant that is."""

    symbol: str = Field(
        default="",
        validation_alias=AliasChoices(
            "symbol",
            AliasPath("gene", "symbol"),
            AliasPath("variantInterpretation", "variationDescriptor", "geneContext", "symbol"),
        ),
    )


class Interpretation(Lenient):
    """A diagnosis, its genomic evidence, and how far the way to it has come."""

    disease: OntologyClass = Field(default=OntologyClass(), validation_alias=AliasPath("diagnosis", "disease"))
    genes: tuple[Gene, ...] = Field(default=(), validation_alias=AliasPath("diagnosis", "genomicInterpretations"))
    progress_status: str = "UNKNOWN_PROGRESS"


class Disease(Lenient):
    """A disease in the patient's record."""

    term: OntologyClass
    excluded: bool = False


class Age(Lenient):
    """An age."""

    duration: str = Field(default="", validation_alias=AliasChoices("iso8601duration", "age"))
    """ISO 8601, such as P3Y6M, P2W or P1.5Y; a value that is none says nothing."""

    def years(self) -> float | None:
        """Return the age in years, rounded to two digits; hours and less count as nothing."""
        units = "".join(rf"(?:(\d+(?:[.,]\d+)?){unit})?" for unit in "YMWD")
        match = re.fullmatch(rf"P{units}(T[\d.,HMS]+)?", self.duration, re.ASCII)
        if not match or not any(match.groups()):
            return None
        years, months, weeks, days = (float((part or "0").replace(",", ".")) for part in match.groups()[:4])
        age = round(years + months / 12 + weeks / 52.18 + days / 365.25, 2)
        return age if age < OLDEST else None


class AgeRange(Lenient):
    """An age between two."""

    start: Age = Age()
    end: Age = Age()

    def years(self) -> float | None:
        """Return the middle in years, or None where the range is wide or lacks an end."""
        start, end = self.start.years(), self.end.years()
        if start is None or end is None or not 0 <= end - start <= WIDEST:
            return None
        return round((start + end) / 2, 2)


class Subject(Lenient):
    """The patient, when last seen (version 2) or when a sample was taken (version 1).

    Only ages after birth that are numbers are read: no weeks of gestation, no "Childhood onset", no date.
    """

    id: str = ""
    sex: str = "UNKNOWN_SEX"
    age: Age = Field(
        default=Age(), validation_alias=AliasChoices(AliasPath("timeAtLastEncounter", "age"), "ageAtCollection")
    )
    age_range: AgeRange = Field(
        default=AgeRange(),
        validation_alias=AliasChoices(AliasPath("timeAtLastEncounter", "ageRange"), "ageRangeAtCollection"),
    )

    def years(self) -> float | None:
        """Return the age in years."""
        age = self.age.years()
        return self.age_range.years() if age is None else age


class Phenopacket(Lenient):
    """A patient, after https://phenopacket-schema.readthedocs.io (versions 1.0 and 2.0)."""

    id: str = Field(min_length=1)
    subject: Subject = Subject()
    phenotypic_features: tuple[Feature, ...] = ()
    interpretations: tuple[Interpretation, ...] = ()
    diseases: tuple[Disease, ...] = ()
    genes: tuple[Gene, ...] = ()  # version 1
    references: tuple[OntologyClass, ...] = Field(
        default=(), validation_alias=AliasPath("metaData", "externalReferences")
    )

    def observed(self) -> dict[str, Feature]:
        """Return each observed phenotype by id."""
        return {feature.type.id: feature for feature in self.phenotypic_features if not feature.excluded}

    def excluded(self) -> list[str]:
        """Return the ids of phenotypes that were looked for and never found."""
        observed = self.observed()
        absent = dict.fromkeys(feature.type.id for feature in self.phenotypic_features if feature.excluded)
        return [term for term in absent if term not in observed]

    def diagnoses(self) -> list[OntologyClass]:
        """Return the different diseases of the best kind that there is; with more than one, no diagnosis is sure.

        The kinds are, from the best: settled by an interpretation, interpreted and not unsolved, in the record.
        """
        by_status = [(item.progress_status, item.disease) for item in self.interpretations]
        settled = [disease for status, disease in by_status if status in SETTLED]
        pending = [disease for status, disease in by_status if status not in (*SETTLED, "UNSOLVED")]
        recorded = [disease.term for disease in self.diseases if not disease.excluded]
        kinds = ([term for term in kind if term.id and term.label] for kind in (settled, pending, recorded))
        return list({term.id: term for term in reversed(next(filter(None, kinds), []))}.values())

    def gene_symbols(self) -> list[str]:
        """Return the symbols of all genes that are named as evidence."""
        named = [gene for item in self.interpretations for gene in item.genes]
        return [gene.symbol for gene in (*named, *self.genes) if gene.symbol]

    def publications(self) -> list[str]:
        """Return the PubMed ids of the references, or else the one in an id such as PMID_123_patient."""
        names = dict.fromkeys(reference.id for reference in self.references)
        match = re.match(r"PMID_(\d+)(?!\d)", self.id)
        return [name for name in names if re.fullmatch(r"PMID:\d+", name)] or ([f"PMID:{match[1]}"] if match else [])
