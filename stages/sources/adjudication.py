"""What a line of a feedback file says: who judged which record, when and how.

A line has record_id, adjudicated_at (ISO 8601 with a time zone), adjudicator and status, and, where the status is
`confirmed` or `corrected`, text and diagnosis; patient_id, diagnosis_code, age, sex and date are optional. Lines are
only ever appended: of a record's lines the latest adjudication counts, at equal times the lower line. It counts whole:
what it leaves out, patient_id too, is not taken from earlier ones.

confirmed     the diagnosis that had been proposed is right
corrected     it was wrong; `diagnosis` is the right one
inconclusive  none is certain: no case, until it is adjudicated again
withdrawn     no case, whatever else is said of the record, earlier or later; only taking out the line undoes it
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

LONGEST = 16 * 2**20  # bytes of a line


def _present(text: str) -> str:
    if not text.strip():
        raise ValueError("is blank")
    return text


def _in_utc(text: str) -> str:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo:
            return time.astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):  # they repeat the value
        raise ValueError("is not a time in ISO 8601") from None
    raise ValueError("has no time zone")


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("is not a date in ISO 8601") from None


Text = Annotated[str, AfterValidator(_present)]
Name = Annotated[Text, AfterValidator(lambda text: " ".join(text.split()))]


class Adjudication(BaseModel):
    """A line of the file; age is in years, date that of the text, and the adjudicator's id goes no further."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    record_id: Name
    adjudicated_at: Annotated[str, AfterValidator(_in_utc)]
    adjudicator: Name
    status: Literal["confirmed", "corrected", "inconclusive", "withdrawn"]
    patient_id: Name | None = None
    text: Text | None = None
    diagnosis: Name | None = None
    diagnosis_code: Name | None = None
    age: float | None = Field(default=None, ge=0, le=130)
    sex: Literal["female", "male", "other", "unknown"] | None = None
    date: Annotated[str, AfterValidator(_date)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Adjudication:
        if self.status in ("confirmed", "corrected") and not (self.text and self.diagnosis):
            raise ValueError("a confirmed or corrected case needs text and diagnosis")
        return self


def read_adjudication(line: bytes) -> Adjudication | str:
    """Return what a line says, or the reason why it can't be used, which never repeats a value."""
    if len(line) > LONGEST:
        return f"longer than {LONGEST:,} bytes"
    try:
        return Adjudication.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_context=False, include_url=False)[0]
    if problem["type"] == "json_invalid":
        return "not JSON" if line.endswith(b"\n") else "truncated: the last line has no end"
    if problem["type"] == "extra_forbidden":
        return "has a key that the format does not have"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{problem['loc'][0]}: {message}" if problem["loc"] else message


def read_record_id(line: bytes) -> str | None:
    """Return the id in a line that is no adjudication, if it has one."""
    try:
        document = from_json(line)
    except ValueError:
        return None
    found = document.get("record_id") if isinstance(document, dict) else None
    return " ".join(found.split()) if isinstance(found, str) else None
