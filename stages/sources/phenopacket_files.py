"""Read the phenopackets in the JSON files of an archive or a folder, one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from stages.sources.archives import read_members
from stages.sources.ga4gh import Phenopacket

Position = tuple[int, int]
"""Number of a file, and of a phenopacket in it."""


def read_packets(
    path: Path, *, only: Collection[Position] | None = None
) -> Iterator[tuple[Position, str, Phenopacket | str]]:
    """Yield the position and name of each phenopacket, or of those at `only`, with the reason if it can't be read."""
    files = None if only is None else {number for number, _ in only}
    for number, (name, content) in enumerate(read_members(path)):
        if files is not None and number not in files:
            continue
        messages = _messages(content) if isinstance(content, bytes) else content
        if isinstance(messages, str):
            yield (number, 0), name, messages
            continue
        for place, message in enumerate(messages):
            if only is None or (number, place) in only:
                row = name if len(messages) == 1 else f"{name}, member {place + 1}"
                yield (number, place), row, _validated(message)


def _validated(message: object) -> Phenopacket | str:
    try:
        return Phenopacket.model_validate(message)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_context=False, include_url=False)[0]
    where = [part for part in problem["loc"] if isinstance(part, str)]
    return f"not a phenopacket: {' '.join(filter(None, ('.'.join(where), problem['type'])))}"


def _messages(content: bytes) -> list[Any] | str:
    """Return the phenopackets of a message, unchecked, or the reason why there is none.

    A Family's is its proband, for relatives are no cases; a Cohort's are its members. Those without metadata of their
    own have the message's.
    """
    try:
        message = from_json(content)
    except ValueError:  # or nested beyond reason, or with a number of thousands of digits
        return "not JSON"
    if not isinstance(message, dict):
        return "not a JSON object"
    if b"null" in content:
        message = _without_nulls(message)
    members = [message["proband"]] if "proband" in message else message.get("members", [message])
    if not isinstance(members, list) or not members:
        return "a cohort without members"
    shared = {"metaData": message.get("metaData", {})}
    return [shared | member if isinstance(member, dict) else member for member in members]


def _without_nulls(value: Any) -> Any:
    """Return a JSON value without null fields, which mean absent ones in protobuf's JSON."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
