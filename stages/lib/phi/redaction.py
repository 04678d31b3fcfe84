"""Replace PHI by placeholders, numbered per patient, until a text that was scrubbed holds none to be found."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from stages.lib.phi.ages import number_in
from stages.lib.phi.spans import PLACEHOLDER, TITLES, Span, outside, placeholders, union

if TYPE_CHECKING:
    from stages.lib.phi.lexicon import Lexicon

Find = Callable[[Sequence[str]], list[list[Span]]]
Replacement = Callable[[str, Span, Callable[[], str]], str]
"""What stands for a span of a text; the last argument makes its placeholder."""
ROUNDS = 10
NAME_PART = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
# first words of sentences and calendar words that are also names
NO_NAME = (
    "will may mark grant bill rich young long white black brown green grey gray wood hope faith grace joy rose dawn "
    "summer april june august day king bishop major good best love strong early may jan sunday price page case rice "
    "cook ray art pat sue drew guy miles chase dean frank earnest sky the and for was has had not but with from this "
    "that she her his him they them when who what how patient van von der den bin ibn del della"
)
NO_NAMES = frozenset(NO_NAME.split())


class Document(NamedTuple):
    """A text with the PHI found in it so far, in the text's own offsets: sorted and disjoint."""

    text: str
    spans: list[Span]


class Rendered(NamedTuple):
    """A text with placeholders, and where its kept pieces come from: (start here, start there)."""

    text: str
    pieces: list[tuple[int, int]]


def redact(patients: Sequence[Sequence[str]], find: Find, lexicon: Lexicon) -> list[list[tuple[str, list[Span]]]]:
    """Return, per patient and text, the scrubbed text and the spans of the given one that were replaced.

    What was scrubbed is searched again until nothing more is found, so that scrubbing it once more changes nothing. A
    value keeps its number over all texts of a patient; a part of a person's name has the number of the whole.
    """
    documents = [[Document(text, []) for text in texts] for texts in patients]
    rendered = [render(texts) for texts in documents]
    names: list[set[str]] = [set() for _ in patients]
    searched: list[list[str | None]] = [[None] * len(texts) for texts in patients]
    for _ in range(ROUNDS):
        due = [
            (patient, place)
            for patient, texts in enumerate(rendered)
            for place, text in enumerate(texts)
            if searched[patient][place] != text.text
        ]
        if not due:
            break
        found = find([rendered[patient][place].text for patient, place in due])
        for (patient, place), spans in zip(due, found, strict=True):
            text = rendered[patient][place]
            searched[patient][place] = text.text
            _add(documents[patient], place, text, spans)
            names[patient].update(_names(text.text, spans, lexicon))
        for patient in sorted({patient for patient, _ in due}):
            for place, text in enumerate(rendered[patient]):
                _add(documents[patient], place, text, _named(text.text, names[patient]))
            rendered[patient] = render(documents[patient])
    return [
        [(new.text, old.spans) for new, old in zip(texts, given, strict=True)]
        for texts, given in zip(rendered, documents, strict=True)
    ]


def by_placeholder(_text: str, _span: Span, placeholder: Callable[[], str]) -> str:
    """Replace a span by its placeholder, such as `[PERSON_1]`."""
    return placeholder()


def render(documents: Sequence[Document], replacement: Replacement = by_placeholder) -> list[Rendered]:
    """Replace the spans of one patient's documents."""
    number = _Numbers(documents)
    rendered = []
    for text, spans in documents:
        parts: list[str] = []
        pieces: list[tuple[int, int]] = []
        position = length = 0
        for span in spans:
            made = replacement(text, span, partial(number.placeholder, span.entity, text[span.start : span.end]))
            pieces.append((length, position))
            parts += [text[position : span.start], made]
            length += span.start - position + len(made)
            position = span.end
        rendered.append(Rendered("".join([*parts, text[position:]]), [*pieces, (length, position)]))
    return rendered


class _Numbers:
    """Number values per entity in the order of their first use, after the numbers that the texts hold already."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.last: dict[str, int] = {}
        self.known: dict[str, list[tuple[frozenset[str], int]]] = {}
        for document in documents:
            for match in PLACEHOLDER.finditer(document.text):
                entity, number = match.group()[1:-1].rsplit("_", 1)
                self.last[entity] = max(self.last.get(entity, 0), int(number))

    def placeholder(self, entity: str, value: str) -> str:
        """Return the placeholder of `value`."""
        return f"[{entity}_{self.of(entity, value)}]"

    def of(self, entity: str, value: str) -> int:
        """Return the number of `value`, a new one if need be."""
        words = frozenset(re.findall(r"\w+", value.casefold())) - TITLES if entity == "PERSON" else None
        if entity == "AGE":  # "aged 94" and "94-year-old" are one value
            value = value[slice(*number_in(value))]
        key = words or frozenset([" ".join(value.casefold().split())])
        known = self.known.setdefault(entity, [])
        for place, (other, number) in enumerate(known):
            if key == other or (words and (key < other or other < key)):
                known[place] = (key | other, number)
                return number
        self.last[entity] = self.last.get(entity, 0) + 1
        known.append((key, self.last[entity]))
        return self.last[entity]


def _add(documents: list[Document], place: int, rendered: Rendered, spans: Sequence[Span]) -> None:
    """Add spans of a rendered text to its document, in the document's offsets."""
    if not spans:
        return
    text, known = documents[place]
    starts = [start for start, _ in rendered.pieces]
    moved = []
    for span in spans:
        start, end = span[:2]
        here, there = rendered.pieces[bisect_right(starts, start) - 1]
        moved.append(span._replace(start=start - here + there, end=end - here + there))
    documents[place] = Document(text, outside(union([*known, *moved], text), placeholders(text)))


def _names(text: str, spans: Sequence[Span], lexicon: Lexicon) -> set[str]:
    """Return the names in `spans`, and their parts that are no common or clinical word."""
    return {
        part
        for start, end, entity, *_ in spans
        if entity == "PERSON"
        for part in NAME_PART.findall(text[start:end])
        if len(part) > 2 and part[0].isupper() and part.casefold() not in NO_NAMES and not lexicon.is_clinical(part)
    }


def _named(text: str, names: set[str]) -> list[Span]:
    """Return where `text` repeats one of `names`, as written or in capitals."""
    if not names:
        return []
    forms = sorted({form for name in names for form in (name, name.upper())}, key=lambda form: (-len(form), form))
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))})(?!\w)")
    return outside(
        (Span(*match.span(), "PERSON", "repeated name") for match in pattern.finditer(text)), placeholders(text)
    )
