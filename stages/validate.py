"""Stop bad data: scrubbed records in; Data Docs and a summary of every expectation out, or an error that says why."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from stages.lib.phi.policies import Policy
from stages.lib.pool import worker_count
from stages.lib.stage import In, Out, StageError, Strict, cache_folder, log, run

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

IDS_SHOWN = 5
DIFFERS = (
    "if the data may differ from those accepted, run `python -m tools.accept` and commit data/accepted.json; "
    "to compare nothing this once, set validate.max_label_drift to 1"
)


class ValidateParams(Strict):
    """Bounds of the expectations; stages/lib/expectations/suite.yaml says which bounds which."""

    min_words: int = Field(ge=1)
    """Fewest words of a text."""
    max_words: int = Field(ge=1)
    """Most words of a text."""
    min_cases_per_diagnosis: int = Field(ge=1)
    """Fewest records of a diagnosis."""
    min_groups_per_diagnosis: int = Field(ge=1)
    """Fewest independent groups of patients among the records of a diagnosis."""
    min_evenness: float = Field(ge=0, le=1)
    """Least evenness of the diagnoses: entropy of their frequencies over that of equal ones; warns."""
    min_function_words: float = Field(ge=0, le=1)
    """Least share of words like "the" and "with" in an English text, placeholders not counted."""
    english: float = Field(ge=0, le=1)
    """Least share of English texts."""
    legible: float = Field(ge=0, le=1)
    """Least share of texts without wrongly decoded characters, and of texts without control characters."""
    distinct_texts: float = Field(ge=0, le=1)
    """Least share of texts that repeat none before; warns where only case, punctuation or white space differ."""
    undisclosed: float = Field(ge=0, le=1)
    """Least share of texts that do not name their own diagnosis."""
    max_redacted: float = Field(ge=0, le=1)
    """Largest share of placeholders among the words of a text; warns."""
    max_label_drift: float = Field(ge=0, le=1)
    """Largest Jensen-Shannon divergence, in bits, of the diagnoses from those of the data accepted last for the same
    sources; 1 compares nothing with them."""
    max_length_drift: float = Field(ge=0, le=1)
    """Largest Jensen-Shannon divergence, in bits, of text lengths from those of the data accepted last; warns."""

    @model_validator(mode="after")
    def _ordered(self) -> ValidateParams:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class PolicyParams(Strict):
    """What `scrub` did, as far as it matters here."""

    policy: Policy
    """`surrogate` leaves fakes that have the form of PHI."""


with warnings.catch_warnings():  # the section's name is that of a deprecated method of BaseModel, which nothing calls
    warnings.simplefilter("ignore", UserWarning)

    class Params(Strict):
        """Parameters of `validate`."""

        validate: ValidateParams  # type: ignore[assignment]
        """Bounds of the expectations."""
        scrub: PolicyParams
        """See there."""


def validate(params: Params, scrubbed: In, ontology: In, accepted: In, data_docs: Out, data_quality: Out) -> None:
    """Check the records against the expectation suite and write its site and summary.

    Great Expectations sees derived numbers, never a value of a record. Where an expectation of severity `critical`
    fails, raises StageError with the number of records, some of their ids and the folder in the user's cache that
    keeps the site; a failed `warning` is logged. What was accepted for other sources is not compared.
    """
    from stages.lib.accepted import Accepted, accepted_for
    from stages.lib.data_docs import check, read_suites

    reference = accepted_for(scrubbed, accepted) if params.validate.max_label_drift < 1 else Accepted()
    tables, columns = _tables(scrubbed, ontology, list(reference.diagnoses), faked=params.scrub.policy == "surrogate")
    if not reference.diagnoses:
        tables.pop("accepted", None)
        log.info("nothing is accepted for these sources to compare with; after a review, run `python -m tools.accept`")
    bounds = {"columns": columns, **params.validate.model_dump(), **reference.parameters()}
    results = check(tables, read_suites(), bounds=bounds, site=Path(data_docs))
    summary: dict[str, Any] = {"accepted_records": sum(reference.diagnoses.values())}
    summary |= {name: _summarise(result, tables) for name, result in results.items()}
    Path(data_quality).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    failed = {name: result for name, result in results.items() if not result["success"]}
    lines = {name: _failure(name, result, tables=tables, scrubbed=scrubbed) for name, result in failed.items()}
    for name, line in lines.items():
        if failed[name]["severity"] == "warning":
            log.warning("warning: %s", line)
    if errors := [f"validate: {line}" for name, line in lines.items() if failed[name]["severity"] == "critical"]:
        kept = cache_folder("failed", _digest(params, scrubbed, accepted))
        shutil.copytree(data_docs, kept / "data_docs", dirs_exist_ok=True)
        shutil.copy(data_quality, kept / "data_quality.json")
        if any(failed[name]["table"] == "accepted" and failed[name]["severity"] == "critical" for name in failed):
            errors.append(f"validate: {DIFFERS}")
        raise StageError("\n".join([*errors, f"validate: see {kept / 'data_docs' / 'index.html'}"]))


def _tables(
    scrubbed: Path, ontology: Path, accepted: list[str], *, faked: bool
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the table of each suite, and the columns that the first must have; others follow only if it has them.

    Raises StageError where there is no record.
    """
    import pandas as pd
    from pyarrow.parquet import read_metadata, read_schema

    from stages.lib.labels import read_terminology
    from stages.lib.observations import observe
    from stages.lib.records import schema

    if not read_metadata(scrubbed).num_rows:
        raise StageError(f"{scrubbed}: holds no record; see metrics/acquisition.json for what the sources gave")
    found, expected = ([_column(field) for field in fields] for fields in (read_schema(scrubbed), schema(phi=False)))
    tables = {"schema": pd.DataFrame(columns=found)}
    if found == expected:
        terminology, workers = read_terminology(ontology), worker_count()
        observed = observe(scrubbed, accepted=accepted, terminology=terminology, faked=faked, workers=workers)
        tables |= {"records": observed, "accepted": observed}
    return tables, expected


def _column(field: pa.Field) -> str:
    """Return name and type; writers differ in how they name the items of a list."""
    kind = f"list of {field.type.value_type}" if str(field.type).startswith("list<") else field.type
    return f"{field.name}: {kind}"


def _summarise(result: dict[str, Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return severity, success, and the observed value or the number of unexpected records and the column's range."""
    summary: dict[str, Any] = {"severity": result["severity"], "success": result["success"]}
    if "unexpected_count" not in result:
        value = result.get("observed_value")
        return summary | ({"observed": value} if isinstance(value, int | float) else {})
    summary["unexpected"] = result["unexpected_count"]
    values = tables[result["table"]][result["column"]]
    if len(values):
        summary |= {"lowest": round(values.min().item(), 4), "highest": round(values.max().item(), 4)}
    return summary


def _failure(name: str, result: dict[str, Any], *, tables: dict[str, pd.DataFrame], scrubbed: Path) -> str:
    """Say one failed expectation in a line: what, how many records, some of their ids."""
    from pyarrow.parquet import read_table

    from stages.lib.data_docs import unexpected_rows

    said = f"{name}: {result['expectation'].description}"
    if "unexpected_count" not in result:
        return said + (f"; it is {result['observed_value']}" if result["column"] else "")
    rows = unexpected_rows(tables[result["table"]], result["expectation"])
    found = read_table(scrubbed, columns=["record_id"])["record_id"].take(rows).unique().drop_null().to_pylist()
    shown = ", ".join(sorted(found)[:IDS_SHOWN]) + (", …" if len(found) > IDS_SHOWN else "")
    return f"{said}; {result['unexpected_count']:,} records break this: {shown or 'without an id'}"


def _digest(params: Strict, *paths: Path) -> str:
    """Return a name for what was validated: parameters and contents of files."""
    digest = hashlib.sha256(params.model_dump_json().encode())
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    run(validate)
