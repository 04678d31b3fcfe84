"""What a report says, before it is HTML or Markdown: sections of paragraphs, tables, plots and cases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

MARKS = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)\s]+\))")
NUMBER = re.compile(r"(< )?[+-]?\d[\d,.]*( %)?( \[.*\]| \(.*\))?|[-\N{EN DASH}]|not measured|")
BOUNDED = re.compile(r"(.+) \[(.+)\]")
NONE = "\N{EN DASH}"


class Span(NamedTuple):
    """A piece of text as it is meant; `target` is that of a link."""

    text: str
    kind: Literal["plain", "strong", "code", "link"] = "plain"
    target: str = ""


Text = tuple[Span, ...]


class Measure(NamedTuple):
    """A number and the bounds of its interval, both as they are printed."""

    value: str
    interval: str = ""

    def __str__(self) -> str:
        """Return it as in a sentence."""
        return f"{self.value} [{self.interval}]" if self.interval else self.value


Cell = str | Text | Measure  # a str is shown as it stands: data are never read as marks


def marked(text: str) -> Text:
    """Return the spans of a text of ours, with `code`, **strong** and [links](target) as Markdown marks them."""
    return tuple(_span(part) for part in MARKS.split(text) if part)


def _span(part: str) -> Span:
    if part[0] == "`" and part[-1] == "`":
        return Span(part[1:-1], "code")
    if part.startswith("**") and part.endswith("**"):
        return Span(part[2:-2], "strong")
    if MARKS.fullmatch(part):
        text, _, target = part[1:-1].partition("](")
        return Span(text, "link", target)
    return Span(part)


def plain(cell: Cell) -> str:
    """Return the words of a cell alone."""
    if isinstance(cell, str | Measure):
        return str(cell)
    return "".join(span.text for span in cell)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    kind: ClassVar[str] = "paragraph"
    text: Text


@dataclass(frozen=True)
class Table:
    """Columns and rows; one that is not `brief` is left out of the short twin, and folded in the long one."""

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    brief: bool = True

    def numeric(self) -> list[bool]:
        """Tell of each column whether it holds numbers alone."""
        shown = [[plain(row[place]) for row in self.rows] for place in range(len(self.columns))]
        return [all(NUMBER.fullmatch(cell) for cell in cells) and any(map(str.strip, cells)) for cells in shown]


@dataclass(frozen=True)
class Plot:
    """A plot, by the name of its figure; the alternative text says what one sees."""

    kind: ClassVar[str] = "plot"
    name: str
    title: str
    alternative: str
    caption: str = ""


class Token(NamedTuple):
    """A piece of a note and how much it spoke for the first diagnosis, as a share of the strongest piece."""

    text: str
    share: float


@dataclass(frozen=True)
class Case:
    """A simulated case: its differential, best first, and its note with what spoke for the first diagnosis."""

    kind: ClassVar[str] = "case"
    record_id: str
    gold: str
    differential: Sequence[tuple[str, float]]
    tokens: Sequence[Token]


Block = Paragraph | Table | Plot | Case


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """Return what links lead to: the name that the heading has in Markdown on the web."""
        return re.sub(r"[^\w-]", "", self.title.lower().replace(" ", "-"))


class Figure(NamedTuple):
    """A number that stands at the top of the page."""

    label: str
    measure: Measure
    note: str


@dataclass(frozen=True)
class Page:
    """The report."""

    title: str
    lead: Text
    verdict: Text
    tone: Literal["better", "same", "worse"]
    figures: Sequence[Figure]
    sections: Sequence[Section]

    def plots(self) -> list[Plot]:
        """Return the plots in the order of the page."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Plot)]


def section(title: str, *blocks: Block | None) -> Section:
    """Return a section of the blocks that are there."""
    return Section(title, [block for block in blocks if block is not None])


def paragraph(text: str) -> Paragraph:
    """Return a paragraph of a text of ours, with its marks."""
    return Paragraph(marked(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", brief: bool = True) -> Table:
    """Return a table of texts of ours: marks are read, and `1.0 [0.9, 1.1]` is a measure."""
    return Table(columns, [[_cell(cell) for cell in row] for row in rows], title=title, brief=brief)


def _cell(cell: str) -> Cell:
    if found := BOUNDED.fullmatch(cell):
        return Measure(*found.groups())
    return marked(cell)


def number(value: Any, *, digits: int, scale: float = 1, sign: bool = False) -> str:
    """Return a number as it is printed, thousands apart; a dash where there is none."""
    if value is None or value != value:
        return NONE
    return f"{scale * value:{'+' if sign else ''},.{digits}f}"


def percent(value: Any, *, digits: int = 1) -> str:
    """Return a share as it is printed; a dash where there is none."""
    shown = number(value, digits=digits, scale=100)
    return shown if shown == NONE else f"{shown} %"


def measure(
    row: Mapping[str, Any], name: str = "value", *, digits: int, scale: float = 1, sign: bool = False
) -> Measure:
    """Return what a row has under a name, with its bounds: `low` and `high`, or those that start with the name."""
    own = f"{name}_low" in row
    value, low, high = (
        number(row.get(key), digits=digits, scale=scale, sign=sign)
        for key in (name, f"{name}_low" if own else "low", f"{name}_high" if own else "high")
    )
    return Measure(value, "" if NONE in (low, high) else f"{low}, {high}")
