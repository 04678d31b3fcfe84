"""Cut a note into sentences: a text in, its sentences and what stands between them out."""

from __future__ import annotations

import re

# Ends of sentences but after "Dr." and the number of a list's item, and ends of lines but before an item.
BETWEEN = re.compile(r"((?<=[.!?])(?<!\bDr\.)(?<!\n\d\.)[ \t]+(?=[A-Z\[])|\n+(?!(?:-|\d+\.)\s))")


def split_sentences(text: str) -> list[str]:
    """Return sentences at even places and what separates them at odd ones; joined, they are the text.

    A list stays with the line that introduces it.
    """
    return BETWEEN.split(text)
