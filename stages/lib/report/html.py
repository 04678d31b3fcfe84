"""The report as one HTML file that loads nothing: a page and its plots in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stages.lib.report.page import Measure, Page

FOLDER = Path(__file__).parent


def html(page: Page, plots: Mapping[str, str]) -> str:
    """Return the page; `plots` holds the SVG of each plot by its name. All but these is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.tests |= {
        "words": lambda cell: isinstance(cell, str),
        "measure": lambda cell: isinstance(cell, Measure),
    }
    return environment.get_template("page.html").render(
        page=page,
        plots={name: Markup(svg) for name, svg in plots.items()},
        style=Markup((FOLDER / "style.css").read_text(encoding="utf-8")),
    )
