"""The report in Markdown, for pull requests: a page in, text out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from stages.lib.report.page import Block, Case, Cell, Measure, Page, Paragraph, Plot, Section, Span, Table, Text

SPECIAL = re.compile(r"([\\`*_<>|#~&]|(?<=\])\()")
WORDS = 5  # that spoke most for a diagnosis


def markdown(page: Page) -> str:
    """Return the page in short: what is folded in the HTML is left out, plots are files beside it."""
    top = [f"# {page.title}", f"{words(page.lead)} {words(page.verdict)}", *map(part, page.sections)]
    return "\n\n".join(top) + "\n"


def tabulated(found: Table) -> str:
    """Return a table, numbers to the right."""
    rows = [[_cell(cell) for cell in row] for row in found.rows]
    return table([escaped(column) for column in found.columns], rows, numeric=found.numeric())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Iterable[bool] = ()) -> str:
    """Return a table of cells that are Markdown already; those of `numeric` columns stand to the right."""
    rule = ["---:" if right else "---" for right in numeric] or ["---"] * len(columns)
    return "\n".join(f"| {' | '.join(line)} |" for line in [columns, rule, *rows])


def escaped(text: str) -> str:
    """Return text of which nothing is read as a mark, on one line."""
    return SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", text))


def part(section: Section) -> str:
    """Return a section in short."""
    return "\n\n".join([f"## {section.title}", *filter(None, map(_block, section.blocks))])


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return words(block.text)
        case Table():
            title = f"**{block.title}**\n\n" if block.title else ""
            return f"{title}{tabulated(block)}" if block.brief else ""
        case Plot():
            caption = f"\n\n{block.caption}" if block.caption else ""
            return f"![{escaped(block.title)}]({block.name}.png){caption}"
        case Case():
            return _case(block)


def _case(case: Case) -> str:
    differential = ", ".join(f"{escaped(name)} {probability:.2f}" for name, probability in case.differential)
    order = sorted(case.tokens, key=lambda token: -token.share)
    spoke = ", ".join(escaped(token.text.strip()) for token in order[:WORDS] if token.share > 0)
    return (
        f"**{escaped(case.record_id)}**, gold: {escaped(case.gold)}. {differential}. "
        f"Spoke most for the first: {spoke}.\n\n"
        f"> {escaped(''.join(token.text for token in case.tokens))}"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, Measure):
        return escaped(cell.value) + (f" [{cell.interval}]" if cell.interval else "")
    return escaped(cell) if isinstance(cell, str) else words(cell)


def words(text: Text) -> str:
    """Return what spans say."""
    return "".join(map(_span, text))


def _span(span: Span) -> str:
    match span.kind:
        case "strong":
            return f"**{escaped(span.text)}**"
        case "code":
            return f"`{' '.join(span.text.replace('`', '').split())}`".replace("|", "\\|")
        case "link":
            return f"[{escaped(span.text)}]({span.target})"
        case "plain":
            return escaped(span.text)
