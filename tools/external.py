"""Validate the trained model on cases that the pipeline has never seen:

    python -m tools.external --cases FILE --out DIR [--columns text=note diagnosis=dx] [--labels-map F] [--labels F]

The cases, a table or phenopackets, are scrubbed by the pipeline's code and policy, predicted by models/base, the
adapter and its calibration, and measured as `evaluate` measures the test split, into the same files, with a short
report. A case whose diagnosis is none of the model's is wrong among all cases, and no part of the other metrics.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from stages.acquire import AcquireParams
from stages.evaluate import EvaluateParams
from stages.lib.isolation import OFFLINE, QUIET, die_with_parent, refuse_network
from stages.lib.launcher import error_lines
from stages.lib.model import Compute
from stages.lib.params import read_document, read_params
from stages.lib.records import read_records, write_records
from stages.lib.stage import In, Out, StageError, Strict, log
from stages.scrub import Params as ScrubOnly
from stages.scrub import ScrubParams, scrub
from stages.sources import files, phenopackets
from stages.sources.cases import Case, Inputs, Rejected
from stages.sources.cells import fit
from stages.sources.files import FileParams
from stages.sources.pseudonyms import pseudonymised, read_key
from stages.sources.tables import FORMATS, format_of
from tools.external_measures import measure
from tools.external_model import artefacts, load_model

COLUMNS = ("text=text", "diagnosis=diagnosis")
EVERY_PATIENT = {"min_phenotypes": 1, "min_publications": 0, "max_patients": 10**9}


class Params(Strict):
    """What the pipeline's parameters say of data that come from outside."""

    seed: int = Field(ge=0)
    """Seed of the bootstrap, and of notes about phenopackets."""
    acquire: AcquireParams
    """The key of pseudonyms, the rows that may be rejected, the voices of phenopackets."""
    scrub: ScrubParams
    """What counts as PHI."""
    compute: Compute
    """Device and precision."""
    evaluate: EvaluateParams
    """Uncertainty."""


def main() -> None:
    """Validate, and print where the report is and its headline."""
    parser = argparse.ArgumentParser(prog="python -m tools.external", description=__doc__.partition(":\n")[0])
    parser.add_argument("--cases", type=Path, required=True, help=f"a {', '.join(FORMATS)} file, or phenopackets")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--columns", nargs="+", default=COLUMNS, metavar="NAME=COLUMN", help="as acquire.files.columns")
    parser.add_argument("--labels-map", type=Path, help="YAML or JSON: a diagnosis of the cases to one of the model's")
    parser.add_argument("--labels", type=Path, help="diagnoses to choose from, one a line, for the objective generate")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="[external] %(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    os.environ.update(QUIET | OFFLINE)
    refuse_network("external")
    try:
        print(validate(arguments))
    except StageError as error:
        sys.exit(error_lines(error))


def validate(arguments: argparse.Namespace) -> str:
    """Write DIR as a whole, and return the report's headline."""
    out: Path = arguments.out
    if out.exists():
        raise StageError(f"--out: {out} is there already; name another folder")
    params = read_params(Params, ["seed", "acquire", "scrub", "compute", "evaluate"])
    paths = artefacts()
    renamed = read_map(arguments.labels_map)
    model = load_model(paths, labels=arguments.labels, compute=params.compute)
    if unknown := sorted(set(renamed.values()) - set(model.diagnoses)):
        raise StageError(f"--labels-map: no diagnosis of the model: {', '.join(unknown[:5])}; see the adapter's labels")
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)  # raw texts lie in it for a while
    try:
        rejected = acquire_and_scrub(arguments, params, paths, partial)
        records = read_records(partial / "scrubbed.parquet")
        records["diagnosis"] = records["diagnosis"].map(lambda name: renamed.get(name, name))
        for name in ("raw.parquet", "scrubbed.parquet", "scrub_audit.parquet"):  # texts, and where PHI stood in them
            (partial / name).unlink()
        headline = measure(model, records, partial, settings=params.evaluate, seed=params.seed, rejected=rejected)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return f"{headline}\n{out / 'report.md'}"


def acquire_and_scrub(
    arguments: argparse.Namespace, params: Params, paths: dict[str, Path], folder: Path
) -> Counter[str]:
    """Write the cases scrubbed, and return how many rows were rejected, by reason."""
    import pandas as pd

    cases, rejected = read_cases(arguments, params, paths)
    total = len(cases) + rejected.total()
    told = ", ".join(f"{reason} ({count:,})" for reason, count in rejected.most_common(5))
    if rejected.total() > params.acquire.max_rejected * total or not cases:
        raise StageError(
            f"--cases: {rejected.total():,} of {total:,} rows can't be used; acquire.max_rejected is "
            f"{params.acquire.max_rejected}: {told or 'there is no row'}"
        )
    records = pd.DataFrame(cases)
    if records["record_id"].duplicated().any():
        raise StageError(f"--cases: {arguments.cases}: ids of records must be unique")
    write_records(records, folder / "raw.parquet")
    scrub(
        ScrubOnly(scrub=params.scrub),
        raw=In(folder / "raw.parquet"),
        ner=In(paths["ner"]),
        ontology=In(paths["ontology"]),
        scrubbed=Out(folder / "scrubbed.parquet"),
        scrub_audit=Out(folder / "scrub_audit.parquet"),
        scrubbing=Out(folder / "scrubbing.json"),
    )
    return rejected


def read_cases(
    arguments: argparse.Namespace, params: Params, paths: dict[str, Path]
) -> tuple[list[Case], Counter[str]]:
    """Return the usable cases under pseudonyms, and how many others there are, by reason."""
    path: Path = arguments.cases
    if not path.exists():
        raise StageError(f"--cases: {path} does not exist")
    inputs = Inputs(path.resolve().parent, path / "none", paths["ontology"], params.seed)
    if path.is_file() and format_of(path.name) in FORMATS:
        source, read = "files", files.read([table_of(path, arguments.columns)], inputs)
    else:
        settings = params.acquire.phenopackets.model_copy(update=EVERY_PATIENT | {"file": path.name})
        source, read = "phenopackets", phenopackets.read(settings, inputs)
    key = read_key(params.acquire.key_fingerprint, warn=source == "files")
    cases, rejected = list[Case](), Counter[str]()
    try:
        for item in read:
            checked = item if isinstance(item, Rejected) else fit(item)
            if isinstance(checked, Rejected):
                rejected[checked.reason] += 1
            else:
                cases.append(pseudonymised(checked, source=source, key=key))
    except StageError as error:
        told = str(error).replace("params.yaml: acquire.files[0].columns", "--columns")
        raise StageError(told.replace("params.yaml: acquire.files[0].file", "--cases")) from None
    return cases, rejected


def table_of(path: Path, columns: list[str]) -> FileParams:
    """Return the table's parameters; raise StageError where a column is not given as NAME=COLUMN."""
    pairs = [name.partition("=") for name in columns]
    given = {part: name for part, equals, name in pairs if equals}
    required = dict(pair.split("=") for pair in COLUMNS)
    try:
        return FileParams.model_validate({"file": path.name, "columns": required | given})
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        known = ", ".join(files.Columns.model_fields)
        raise StageError(f"--columns: {wrong}: give NAME=COLUMN, with NAME one of {known}") from None


def read_map(path: Path | None) -> dict[str, str]:
    """Return the names that diagnoses take; none without a file."""
    content: Any = read_document(str(path)) if path else {}
    if not all(isinstance(name, str) for pair in content.items() for name in pair):
        raise StageError(f"--labels-map: {path}: must map names to names")
    return dict(content)


if __name__ == "__main__":
    die_with_parent()
    main()
