"""Describe a data set in Croissant 1.1, the vocabulary of MLCommons: provenance in, JSON-LD out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.lib.provenance import COLLECTION, Provenance, Split

if TYPE_CHECKING:
    import mlcroissant
    import pyarrow as pa

CROISSANT = "http://mlcommons.org/croissant/1.1"
RESPONSIBLE_AI = "http://mlcommons.org/croissant/RAI/1.0"
PURPOSE = "Training, calibrating and testing a model that ranks diagnoses for a clinical text."
COLUMNS = {
    "record_id": "Pseudonym of the record, keyed by a secret; begins with its source",
    "patient_id": "Pseudonym of the patient; all records of a patient are in one split",
    "groups": "What else must not cross splits: publications by PMID, near-duplicates by record, others as pseudonyms",
    "text": "Clinical text; the protected health information that was found in it is replaced",
    "diagnosis": "Name of the diagnosis: the label",
    "diagnosis_code": "Code of the diagnosis, such as ORPHA:558",
    "age": "Age in years; 90 stands for 90 and above",
    "sex": "female, male, other or unknown",
    "date": "Year of the text",
    "source": "Source that the record came from",
    "voice": "Who wrote the text: clinic letter, triage note, own words, case report and the like",
    "phenotypes": "Observed findings as ids of the Human Phenotype Ontology",
    "excluded_phenotypes": "Findings looked for and excluded, likewise",
    "split": "Split that the publisher of the data put the record in; empty where none did",
}


def croissant(provenance: Provenance) -> dict[str, Any]:
    """Return the description as JSON-LD; it is valid by mlcroissant and holds no time of its making.

    The validator warns of one thing, that datePublished is missing: only who publishes the data knows it.
    """
    import mlcroissant as mlc

    context = mlc.Context(conforms_to=CROISSANT)
    context.rdf = mlc.Rdf(context=_terms(context))
    sources = ", ".join(source.name for source in provenance.sources)
    metadata = mlc.Metadata(
        ctx=context,
        conforms_to=[CROISSANT, RESPONSIBLE_AI],
        name=provenance.name(),
        description=f"{PURPOSE} Sources: {sources}. The files are made by the pipeline and not published with it.",
        version=provenance.version(),
        license=provenance.licences(),
        creators=[mlc.Organization(ctx=context, name="The Differential authors")] if provenance.simulated() else [],
        cite_as="; ".join(provenance.citations()),
        keywords=["diagnosis", "clinical text", *(source.name for source in provenance.sources)],
        data_collection=" ".join(f"{source.name}: {COLLECTION[source.name]}" for source in provenance.sources),
        data_use_cases=[PURPOSE],
        personal_sensitive_information=[provenance.phi_left()],
        distribution=[_file(context, split) for split in provenance.splits],
        record_sets=[_records(context, split, columns=provenance.columns) for split in provenance.splits],
    )
    described: dict[str, Any] = metadata.to_json()
    return described


def _file(context: mlcroissant.Context, split: Split) -> mlcroissant.FileObject:
    import mlcroissant as mlc

    return mlc.FileObject(
        ctx=context,
        id=split.file,
        name=split.file,
        description=f"The {split.name} split, {split.records:,} records",
        content_url=split.file,
        content_size=f"{split.bytes} B",
        encoding_formats=[mlc.EncodingFormat.PARQUET],
        sha256=split.sha256,
    )


def _records(context: mlcroissant.Context, split: Split, *, columns: pa.Schema) -> mlcroissant.RecordSet:
    import mlcroissant as mlc

    return mlc.RecordSet(
        ctx=context,
        id=split.name,
        name=split.name,
        description=f"Records of the {split.name} split",
        key=[f"{split.name}/record_id"],
        fields=[_field(context, split, column=column) for column in columns],
    )


def _field(context: mlcroissant.Context, split: Split, *, column: pa.Field) -> mlcroissant.Field:
    import mlcroissant as mlc
    import pyarrow as pa

    several = {"is_array": True, "array_shape": "-1"} if pa.types.is_list(column.type) else {}
    return mlc.Field(
        ctx=context,
        id=f"{split.name}/{column.name}",
        name=column.name,
        description=COLUMNS[column.name],
        data_types=[mlc.DataType.FLOAT if pa.types.is_floating(column.type) else mlc.DataType.TEXT],
        source=mlc.Source(ctx=context, file_object=split.file, extract=mlc.Extract(ctx=context, column=column.name)),
        **several,
    )


def _terms(context: mlcroissant.Context) -> dict[str, Any]:
    """Return the standard JSON-LD context of version 1.1; that of a fresh `Context` is of 1.0 and lacks arrays."""
    import mlcroissant as mlc

    language = {"@container": "@language"}
    added = {name: f"cr:{name}" for name in ("arrayShape", "containedIn", "isArray")}
    return {**mlc.Rdf().context, **added, "description": language, "name": language}
