"""Data Docs that load nothing from elsewhere: the library's pages and results in, the same site without the web out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

STYLE = Path(__file__).with_name("site.css")
RUN_TIME = "20000101T000000.000000Z"
TIME = re.compile(r"\b\d{8}T\d{6}\.\d{6}Z")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
LOADED = re.compile(
    r"<(script|style|footer)\b.*?</\1>|<(?:link|img)\b[^>]*>|<title></title>|\son\w+=\"[^\"]*\"", re.DOTALL
)
HEAD = """    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
    <style>
{style}    </style>
  </head>"""
INDEX = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="UTF-8">
    <title>Data Docs</title>
  </head>
  <body>
    <main>
      <h1>Data Docs</h1>
      <p class="lead">What <code>validate</code> expects of the scrubbed records, and what it found. These pages hold
      counts, shares and bounds, and no value of a record.</p>
{suites}    </main>
  </body>
</html>
"""
SUITE = """      <h2>{name}</h2>
      <p><a href="validations/{name}/validate/{time}/{name}-{name}.html">Results</a> ·
      <a href="expectations/{name}.html">Expectations</a></p>
      <table>
        <tr><th>Status</th><th>Expectation</th><th>What must hold</th><th>At fault, or observed</th></tr>
{rows}      </table>
"""
ROW = """        <tr>
          <td><i class="{icon}"></i> {status}</td><td><code>{name}</code></td><td>{description}</td><td>{found}</td>
        </tr>
"""


def finish(site: Path, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the built `site` reproducible and self-contained, with an index of `results`, by name, of its own.

    Replaced is what differs between two runs on the same data: times and random ids. Removed is what the pages load,
    scripts, styles and images, with the library's folder of them; a browser is told to load nothing.
    """
    shutil.rmtree(site / "static", ignore_errors=True)
    (site / "index.html").write_text(_index(results), encoding="utf-8")
    head = HEAD.format(style=STYLE.read_text(encoding="utf-8"))
    for path in sorted(site.rglob("*.html")):
        html = TIME.sub(RUN_TIME, LOADED.sub("", path.read_text(encoding="utf-8")))
        order = {uuid: place for place, uuid in enumerate(dict.fromkeys(UUID.findall(html)), start=1)}
        for uuid, place in order.items():
            html = html.replace(uuid, f"id-{place}")
        path.write_text(html.replace("  </head>", head, 1), encoding="utf-8")


def _index(results: Mapping[str, Mapping[str, Any]]) -> str:
    suites: dict[str, str] = {}
    for name, result in results.items():
        suites[result["table"]] = suites.get(result["table"], "") + _row(name, result)
    return INDEX.format(
        suites="".join(SUITE.format(name=name, time=RUN_TIME, rows=rows) for name, rows in suites.items())
    )


def _row(name: str, result: Mapping[str, Any]) -> str:
    icon, status = "text-success", "met"
    if not result["success"]:
        icon, status = ("text-danger", "stops") if result["severity"] == "critical" else ("text-warning", "warns")
    value = result.get("observed_value")
    found = str(value) if isinstance(value, int | float) else ""
    if "unexpected_count" in result:
        found = f"{result['unexpected_count']:,} of {result['element_count']:,}"
    description = escape(result["expectation"].description)
    return ROW.format(icon=icon, status=status, name=name, description=description, found=found)
