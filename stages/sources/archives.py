"""Read the JSON files of a zip archive or of a folder, one at a time; nothing is ever unpacked."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.stage import StageError

if TYPE_CHECKING:
    import zipfile

LARGEST = 8 * 2**20  # bytes of a file; phenopacket-store's are below 70 KiB, a cohort's may be some MiB
MEMBERS = 200_000  # files in an archive; phenopacket-store has some 10,000
TOTAL = 2**29  # bytes of an archive's files, uncompressed; phenopacket-store has some 60 MiB
TOO_LARGE = f"larger than {LARGEST:,} bytes"

Member = tuple[str, bytes | str]


def read_members(path: Path) -> Iterator[Member]:
    """Yield each .json file's name with its bytes, or with the reason why it can't be read.

    `path` is a zip, a .json file or a folder. Of files with one name only the first is read. Raises StageError for
    what is none of these, is truncated, or is a zip of more than MEMBERS such files or TOTAL bytes.
    """
    names: set[str] = set()
    for name, content in _members(path):
        yield _printable(name), "another file has this name" if name in names else content
        names.add(name)
    if not names:
        raise StageError(f"{path}: holds no .json file; expected one phenopacket per file")


def _members(path: Path) -> Iterator[Member]:
    if path.is_dir():
        return _folder(path)
    if path.suffix == ".json":
        return iter([(path.name, _file(path, within=path.parent))])
    return _zip(path)


def _zip(path: Path) -> Iterator[Member]:
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, OverflowError):
        raise StageError(
            f"{path}: is not a zip archive, or is truncated; copy it again, or name a folder of its files"
        ) from None
    with archive:
        members = [info for info in archive.infolist() if _is_json(info.filename)]
        if len(members) > MEMBERS:
            raise _too_much(path)
        left = TOTAL
        for info in sorted(members, key=lambda info: info.filename):
            content = _zipped(archive, info)
            if (left := left - len(content)) < 0:
                raise _too_much(path)
            yield info.filename, content


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | str:
    import zipfile
    import zlib

    if info.flag_bits & 0x1:
        return "encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link"
    if info.file_size > LARGEST:
        return TOO_LARGE
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed by another method than deflate"
    try:
        with archive.open(info) as file:
            return file.read(LARGEST)  # `archive.read` would inflate all there is, whatever size the archive states
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, NotImplementedError, OSError):
        return "damaged in the archive"


def _folder(path: Path) -> Iterator[Member]:
    for file in sorted(path.rglob("*.json")):
        yield file.relative_to(path).as_posix(), _file(file, within=path)


def _file(file: Path, *, within: Path) -> bytes | str:
    if not file.is_file() or not file.resolve().is_relative_to(within.resolve()):
        return "not a file of the folder"
    return TOO_LARGE if file.stat().st_size > LARGEST else file.read_bytes()


def _is_json(name: str) -> bool:
    return name.endswith(".json") and not name.startswith("__MACOSX/")


def _too_much(path: Path) -> StageError:
    return StageError(f"{path}: holds more than {MEMBERS:,} files or {TOTAL:,} bytes; unpack it and name the folder")


def _printable(name: str) -> str:
    """Return a name that can stand in a message: a hostile one may hold escape sequences of a terminal."""
    return "".join(character if character.isprintable() else "?" for character in name[:200])
