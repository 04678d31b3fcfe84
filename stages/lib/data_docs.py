"""Great Expectations without its surroundings: tables and expectations in, results and a reproducible site out."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.expectations.site import finish
from stages.lib.params import read_document

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
    from great_expectations.expectations.expectation import Expectation

SUITES = Path(__file__).parent / "expectations" / "suite.yaml"
RUN_TIME = datetime(2000, 1, 1, tzinfo=UTC)  # a run has a time, an output of a stage must not


def read_suites() -> dict[str, dict[str, Any]]:
    """Return the configurations of the expectations by the name of their suite and their own."""
    return read_document(str(SUITES))


def check(
    tables: Mapping[str, pd.DataFrame],
    suites: Mapping[str, Mapping[str, Any]],
    *,
    bounds: Mapping[str, Any],
    site: Path,
) -> dict[str, dict[str, Any]]:
    """Validate each table by the suite of its name, in memory; write the Data Docs to `site`.

    `bounds` are the values of {$PARAMETER: name} in the suites. Returns by the name of the expectation its `table`,
    `column` (None for a whole table), `severity`, `success`, the `expectation` with its bounds, and what the library
    counted or observed. The site shows no value of a table, and the same tables give the same bytes.
    """
    os.environ["TZ"] = "UTC"  # the site shows local time
    time.tzset()
    context = _context()
    _replace_site(context, site.resolve())
    found = {}
    for name, table in tables.items():
        expectations = [_bounded(config, bounds, name=key) for key, config in suites[name].items()]
        outcome = _run(context, name, table=table, expectations=expectations)
        for expectation, result in zip(expectations, outcome, strict=True):
            found[_name(expectation)] = {
                "table": name,
                "column": getattr(expectation, "column", None),
                "severity": expectation.severity.value,
                "success": bool(result.success),
                "expectation": expectation,
                **result.result,
            }
    context.build_data_docs()
    finish(site, found)
    return found


def unexpected_rows(table: pd.DataFrame, expectation: Expectation) -> list[int]:
    """Return the positions of the rows that fail `expectation`; the table is indexed by them.

    Asked only of an expectation that failed: with positions a run takes several times as long.
    """
    asset = _context().data_sources.add_pandas("differential").add_dataframe_asset("again")
    batch = asset.add_batch_definition_whole_dataframe("again").get_batch(batch_parameters={"dataframe": table})
    result: Any = batch.validate(expectation, result_format={"result_format": "COMPLETE"}).result
    return list(result["unexpected_index_list"])


def _run(
    context: EphemeralDataContext, name: str, *, table: pd.DataFrame, expectations: list[Expectation]
) -> list[ExpectationValidationResult]:
    """Return the result of each expectation on a table."""
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    source = context.data_sources.add_pandas(name)
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[definition],
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": 0},
    )
    outcome = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": table}, run_id=RunIdentifier(run_name="validate", run_time=RUN_TIME)
    )
    results = {_name(one.expectation_config): one for run in outcome.run_results.values() for one in run.results}
    if broken := {key: str(result.exception_info) for key, result in results.items() if not result.result}:
        raise RuntimeError(f"Great Expectations failed to judge: {broken}")
    return [results[_name(expectation)] for expectation in expectations]


def _name(named: Any) -> str:
    return str(named.meta["name"])


def _bounded(config: Mapping[str, Any], bounds: Mapping[str, Any], *, name: str) -> Expectation:
    """Return an expectation of the library's or our own, with the values of its parameters."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    from stages.lib.expectations import drift, evenness  # noqa: F401  (the library registers a class by its import)

    kwargs, description = dict(config["kwargs"]), config["description"]
    for key, value in config["kwargs"].items():
        if isinstance(value, dict):
            kwargs[key] = bounds[value["$PARAMETER"]]
            parameter = f"validate.{value['$PARAMETER']}"
            description = description.replace(parameter, f"{kwargs[key]} ({parameter})")
    configuration = ExpectationConfiguration(
        type=config["type"],
        kwargs=kwargs,
        severity=config["severity"],
        description=description,
        meta={"name": name},
    )
    return configuration.to_domain_obj()


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
