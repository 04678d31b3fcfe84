"""Decode a text file as a stream, plain or gzipped: memory stays flat, and a wrong byte is told with its position."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from stages.lib.stage import StageError

# A gzipped text may be so many times, and bytes, larger than its file; clinical text is 3 to 10 times as large.
MOST_EXPANSION = 100
FREE_EXPANSION = 64 * 2**20
BLOCK = 2**20


@dataclass(frozen=True)
class TextFile:
    """A text file that a user put into data/incoming; `key` names its parameters in messages.

    Reading raises StageError where it is not of its encoding, holds null characters, or is broken or hostile gzip.
    """

    path: Path
    encoding: str
    key: str

    def pieces(self, longest: int, *, newline: str) -> Iterator[str]:
        """Yield lines with their ends as they are; one of more than `longest` characters comes in pieces of that."""
        most = FREE_EXPANSION + MOST_EXPANSION * self.path.stat().st_size
        with self._opened(newline) as file:
            while piece := file.readline(longest):
                self._require_text(piece)
                if (most := most - len(piece)) < 0:
                    raise StageError(
                        f"{self.path}: unpacks to over {MOST_EXPANSION} times its size; if that is right, unpack it"
                    )
                yield piece

    def whole(self, most: int) -> str:
        """Return the first `most` characters."""
        with self._opened("") as file:
            text = file.read(most)
        self._require_text(text)
        return text

    def _require_text(self, text: str) -> None:
        if "\0" in text:
            raise StageError(
                f"{self.path}: holds null characters, so it is binary or not {self.encoding}; "
                f"see params.yaml: {self.key}.encoding"
            )

    @contextmanager
    def _opened(self, newline: str) -> Iterator[TextIO]:
        """Open the file behind its byte order mark."""
        try:
            with self._binary() as binary, io.TextIOWrapper(binary, self.encoding, newline=newline) as file:
                if file.read(1) != "\ufeff":
                    file.seek(0)
                yield file
        except UnicodeError:
            raise StageError(
                f"{self.path}: byte {self._undecodable()} is not {self.encoding}; "
                f"set params.yaml: {self.key}.encoding to the file's encoding"
            ) from None
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise StageError(f"{self.path}: is not gzip or is truncated; copy it again") from None

    def _binary(self) -> BinaryIO:
        zipped = self.path.suffix.lower() == ".gz"
        return cast(BinaryIO, gzip.open(self.path)) if zipped else self.path.open("rb")

    def _undecodable(self) -> int:
        """Return the position of the first byte that can't be decoded."""
        decoder, offset = codecs.getincrementaldecoder(self.encoding)(), 0
        with self._binary() as file:
            while True:
                block = file.read(BLOCK)
                try:
                    decoder.decode(block, final=not block)
                except UnicodeDecodeError as error:
                    return offset + len(block) - len(error.object) + error.start  # it holds bytes kept from before
                except UnicodeError:  # UTF-16 without a byte order mark
                    return 0
                offset += len(block)
                if not block:
                    return offset
