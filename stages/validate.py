"""Stop bad data: scrubbed records in; Data Docs and a summary of every expectation out, or an error that says why."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from stages.lib.stage import In, Out, StageError, Strict, cache_folder, run

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations.expectation import Expectation

IDS_SHOWN = 5
LIMITS = {
    "columns": "the columns must be those of a scrubbed record, in order (stages/lib/records.py)",
    "record_id_present": "every record needs an id",
    "patient_id_present": "every record needs a patient",
    "text_present": "every record needs a text",
    "diagnosis_present": "every record needs a diagnosis",
    "record_id_unique": "a record id must occur once",
    "diagnoses": "there must be at least 2 diagnoses",
    "words": "a text must have validate.min_words to validate.max_words words",
    "cases_of_diagnosis": "a diagnosis needs validate.min_cases_per_diagnosis records",
    "groups_of_diagnosis": "a diagnosis needs validate.min_groups_per_diagnosis groups or patients",
    "diagnoses_of_text": "one text must not stand under two diagnoses",
    "phi_hits": "no text may hold what looks like PHI; scrub left it",
}


class ValidateParams(Strict):
    """Thresholds of the expectations."""

    min_words: int = Field(ge=1)
    """Fewest words of a text."""
    max_words: int = Field(ge=1)
    """Most words of a text."""
    min_cases_per_diagnosis: int = Field(ge=1)
    """Fewest records of a diagnosis."""
    min_groups_per_diagnosis: int = Field(ge=1)
    """Fewest independent groups (first of `groups`, else the patient) among the records of a diagnosis."""

    @model_validator(mode="after")
    def _ordered(self) -> ValidateParams:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


with warnings.catch_warnings():  # the section's name is that of a deprecated method of BaseModel, which nothing calls
    warnings.simplefilter("ignore", UserWarning)

    class Params(Strict):
        """Parameters of `validate`."""

        validate: ValidateParams  # type: ignore[assignment]
        """Thresholds of the expectations."""


def validate(params: Params, scrubbed: In, data_docs: Out, data_quality: Out) -> None:
    """Check the records against the expectation suite and write its site and summary.

    Great Expectations sees ids and derived numbers, never a text. Raises StageError where an expectation fails, with
    the number of records, some of their ids and the folder in the user's cache that keeps the site.
    """
    from stages.lib.data_docs import check
    from stages.lib.records import read_records

    records = read_records(scrubbed)
    observed = observe(records)
    suite = _suite(params.validate)
    results = check({"columns": (records.head(0), _schema()), "records": (observed, suite)}, site=Path(data_docs))
    summary = {name: _summarise(result, observed) for name, result in results.items()}
    Path(data_quality).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if failed := [name for name, result in results.items() if not result["success"]]:
        digest = hashlib.sha256(Path(scrubbed).read_bytes() + params.model_dump_json().encode()).hexdigest()[:16]
        kept = cache_folder("failed", digest)
        shutil.copytree(data_docs, kept / "data_docs", dirs_exist_ok=True)
        shutil.copy(data_quality, kept / "data_quality.json")
        lines = [_failure(name, summary[name], observed, suite.get(name)) for name in failed]
        raise StageError("\n".join([*lines, f"validate: see {kept / 'data_docs' / 'index.html'}"]))


def observe(records: pd.DataFrame) -> pd.DataFrame:
    """Return a row per record with what the suite looks at: ids, 1 where a value is present, and counts."""
    import pandas as pd

    from stages.lib.phi.hits import compiled, count_hits

    text, diagnosis = (records[name].fillna("").astype("str").str.strip() for name in ("text", "diagnosis"))
    groups = [
        listed[0] if listed is not None and len(listed) else patient
        for listed, patient in zip(records["groups"], records["patient_id"], strict=True)
    ]
    patterns = compiled()
    by_diagnosis = pd.Series(groups, index=records.index, dtype="object").groupby(diagnosis)
    return pd.DataFrame(
        {
            "record_id": records["record_id"],
            "patient_id": _present(records["patient_id"].notna()),
            "text": _present(text.ne("")),
            "diagnosis": _present(diagnosis.ne("")),
            "diagnosis_number": pd.factorize(diagnosis.mask(diagnosis.eq("")), sort=True)[0],
            "cases_of_diagnosis": by_diagnosis.transform("size").astype("int64"),
            "groups_of_diagnosis": by_diagnosis.transform("nunique").astype("int64"),
            "words": [len(value.split()) for value in text],
            "diagnoses_of_text": diagnosis.groupby(text).transform("nunique").astype("int64"),
            "phi_hits": [count_hits(value, patterns) for value in text],
        }
    )


def _present(there: pd.Series[bool]) -> pd.Series[int]:
    """Return 1 where a value is there and null where none is: what a null check needs, without the value."""
    return there.astype("Int64").where(there)


def _schema() -> dict[str, Expectation]:
    """Return the expectation that the columns are those of a record without `phi`, in order."""
    from great_expectations.expectations.core import expect_table_columns_to_match_ordered_list as library

    from stages.lib.records import schema

    columns = [name for name in schema().names if name != "phi"]
    return {"columns": library.ExpectTableColumnsToMatchOrderedList(column_list=columns)}


def _suite(params: ValidateParams) -> dict[str, Expectation]:
    """Return the expectations on the columns of `observe`, by name."""
    import importlib

    gxe: Any = importlib.import_module("great_expectations.expectations")  # it declares no exports to a type checker
    present = ("record_id", "patient_id", "text", "diagnosis")
    between = gxe.ExpectColumnValuesToBeBetween
    return {
        **{f"{name}_present": gxe.ExpectColumnValuesToNotBeNull(column=name) for name in present},
        "record_id_unique": gxe.ExpectColumnValuesToBeUnique(column="record_id"),
        "diagnoses": gxe.ExpectColumnUniqueValueCountToBeBetween(column="diagnosis_number", min_value=2),
        "words": between(column="words", min_value=params.min_words, max_value=params.max_words),
        "cases_of_diagnosis": between(column="cases_of_diagnosis", min_value=params.min_cases_per_diagnosis),
        "groups_of_diagnosis": between(column="groups_of_diagnosis", min_value=params.min_groups_per_diagnosis),
        "diagnoses_of_text": between(column="diagnoses_of_text", max_value=1),
        "phi_hits": between(column="phi_hits", max_value=0),
    }


def _summarise(result: dict[str, Any], observed: pd.DataFrame) -> dict[str, Any]:
    """Return success, and the observed value or the number of unexpected records and the range of their column."""
    summary: dict[str, Any] = {"success": result["success"]}
    if "unexpected_count" not in result:
        value = result.get("observed_value")
        return summary | ({"observed": value} if isinstance(value, int) else {})
    summary["unexpected"] = result["unexpected_count"]
    values = observed[result["column"]]
    if values.dtype == "int64":
        summary |= {"lowest": int(values.min()), "highest": int(values.max())} if len(values) else {}
    return summary


def _failure(name: str, summary: dict[str, Any], observed: pd.DataFrame, expectation: Expectation | None) -> str:
    """Say one failed expectation in a line: what, how many records, some of their ids."""
    from stages.lib.data_docs import unexpected_ids

    if expectation is None or "unexpected" not in summary:
        return f"validate: {name}: {LIMITS[name]}" + (f"; it is {summary['observed']}" if "observed" in summary else "")
    ids = unexpected_ids(observed, expectation, identifier="record_id")
    shown = ", ".join(ids[:IDS_SHOWN]) + (", …" if len(ids) > IDS_SHOWN else "")
    return f"validate: {name}: {LIMITS[name]}; {summary['unexpected']:,} records break this: {shown or 'without an id'}"


if __name__ == "__main__":
    run(validate)
