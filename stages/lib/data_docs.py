"""Great Expectations without its surroundings: tables and expectations in, results and a reproducible site out."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation

RUN_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # a run has a time, an output of a stage must not
RUN_TIME_IN_SITE = "20000101T000000.000000Z"
TIME = re.compile(r"\b\d{8}T\d{6}\.\d{6}Z")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
BEACON = re.compile(r'src="https://great-expectations-web-assets[^"]*"')  # would tell its makers who opens the page


def check(
    tables: Mapping[str, tuple[pd.DataFrame, Mapping[str, Expectation]]], *, site: Path
) -> dict[str, dict[str, Any]]:
    """Validate each table by its expectations, in memory; write the Data Docs to `site`.

    Returns, by the name of the expectation, `success`, `column` (None for a whole table), and what the library counted
    or observed. The site shows no value of a table, and the same tables give the same bytes.
    """
    os.environ["TZ"] = "UTC"  # the site shows local time
    time.tzset()
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    context = _context()
    _replace_site(context, site.resolve())
    source = context.data_sources.add_pandas("differential")
    found: dict[str, dict[str, Any]] = {}
    for name, (table, expectations) in tables.items():
        for key, expectation in expectations.items():
            expectation.meta = {"name": key}
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
        suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=list(expectations.values())))
        definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[definition],
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0},
        )
        outcome = context.checkpoints.add(checkpoint).run(
            batch_parameters={"dataframe": table}, run_id=RunIdentifier(run_name="validate", run_time=RUN_TIME)
        )
        for results in outcome.run_results.values():
            for result in results.results:
                config: Any = result.expectation_config
                found[config.meta["name"]] = {
                    "success": bool(result.success),
                    "column": config.kwargs.get("column"),
                    **result.result,
                }
    context.build_data_docs()
    _normalise(site)
    return {name: found[name] for _, expectations in tables.values() for name in expectations}


def unexpected_ids(table: pd.DataFrame, expectation: Expectation, *, identifier: str) -> list[str]:
    """Return the values of column `identifier` in the rows that fail `expectation`, where they have one.

    Asked only of an expectation that failed: with ids a run takes several times as long.
    """
    asset = _context().data_sources.add_pandas("differential").add_dataframe_asset("again")
    batch = asset.add_batch_definition_whole_dataframe("again").get_batch(batch_parameters={"dataframe": table})
    form = {"result_format": "COMPLETE", "unexpected_index_column_names": [identifier]}
    rows = batch.validate(expectation, result_format=form).result.get("unexpected_index_list") or []
    return sorted({str(row[identifier]) for row in rows if isinstance(row[identifier], str)})


def _context() -> EphemeralDataContext:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # it tells of a temporary site that is replaced below
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _replace_site(context: EphemeralDataContext, site: Path) -> None:
    """Have `context` build its one site at the absolute path `site`."""
    for name in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(name)
    config: Any = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    context.add_data_docs_site("site", config)


def _normalise(site: Path) -> None:
    """Replace what differs between two runs on the same data, times and random ids, and what calls home."""
    for path in sorted(site.rglob("*.html")):
        html = TIME.sub(RUN_TIME_IN_SITE, BEACON.sub('src=""', path.read_text(encoding="utf-8")))
        order = {uuid: place for place, uuid in enumerate(dict.fromkeys(UUID.findall(html)), start=1)}
        for uuid, place in order.items():
            html = html.replace(uuid, f"id-{place}")
        path.write_text(html, encoding="utf-8")
