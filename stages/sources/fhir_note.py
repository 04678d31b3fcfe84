"""Take the text out of a document's attachments."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

from stages.sources.cells import UnreadableError

TYPES = ("text/plain", "text/html", "application/xhtml+xml")  # in order of preference
# What clinical systems write; Python knows more, some of which take hours for a hostile attachment (punycode).
CHARSETS = (
    r"(us-)?ascii|utf-?(8|16|16le|16be|32)|iso-?8859-\d+|latin-?1|(windows-|cp)\d+|koi8-[ru]|macintosh|shift_jis"
    r"|euc-(jp|kr)|gb(2312|k|18030)|big5"
)
# No branch runs past the next "<", which keeps the time linear; html.parser's is quadratic for unclosed tags.
TAG = re.compile(r"""<(/?[a-z][\w:-]*|[!?])(?:(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>|[^<>]*+>)""", re.IGNORECASE)
UNSEEN = ("script", "style", "title")
CELLS = ("td", "th", "/td", "/th")
INLINE = ("a", "abbr", "b", "em", "font", "i", "mark", "small", "span", "strong", "sub", "sup", "u")


def note(attachments: Iterable[Any]) -> str:
    """Return the text of the first attachment in plain text or else HTML; they hold one document in several formats.

    Raises UnreadableError where none has such a text inline.
    """
    inline = [(*_content_type(attachment.contentType or ""), attachment.data) for attachment in attachments]
    inline = [item for item in inline if item[2]]
    if not inline:
        raise UnreadableError("no inline text")
    for wanted in TYPES:
        for media_type, charset, data in inline:
            if media_type == wanted:
                text = _decoded(data, charset)
                return text if wanted == "text/plain" else _without_tags(text)
    raise UnreadableError("attachment is neither plain text nor HTML")


def _content_type(value: str) -> tuple[str, str]:
    media_type, _, parameters = value.casefold().partition(";")
    charset = re.search(r"""charset\s*=\s*["']?([^\s"';]+)""", parameters)
    return media_type.strip(), charset[1] if charset else "utf-8"


def _decoded(data: bytes, charset: str) -> str:
    if not re.fullmatch(CHARSETS, charset):
        raise UnreadableError("unknown charset")
    try:
        return data.decode(charset).removeprefix("\ufeff")
    except LookupError:
        raise UnreadableError("unknown charset") from None
    except UnicodeDecodeError:
        raise UnreadableError("attachment is not in its charset") from None


def _without_tags(text: str) -> str:
    """Return what a reader of an HTML page sees, a line per block or line of the source (which may be in <pre>)."""
    first, *others = text.split("<!--")
    text = first + "".join(other.partition("-->")[2] for other in others)
    seen, unseen, end = [], "", 0
    for tag in TAG.finditer(text):
        name = tag[1].casefold()
        seen.append("" if unseen else text[end : tag.start()])
        seen.append("" if name.lstrip("/") in INLINE else " " if name in CELLS else "\n")
        end = tag.end()
        if unseen:
            unseen = "" if name == f"/{unseen}" else unseen
        elif name in UNSEEN and not tag[0].endswith("/>"):
            unseen = name
    seen.append("" if unseen else text[end:])
    try:
        lines = html.unescape("".join(seen)).splitlines()
    except ValueError:  # a character reference of thousands of digits
        raise UnreadableError("attachment is not HTML") from None
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())
