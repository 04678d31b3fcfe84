"""Read GA4GH phenopackets (version 2) of published patients from a zip archive or a folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from stages.lib.stage import StageError, Strict, log, progress
from stages.sources.batch import Batch, Rejected, rejected_table
from stages.sources.ga4gh import Phenopacket
from stages.sources.incoming import RelativeFile, find
from stages.sources.notes import article
from stages.sources.ontology import read_terms

if TYPE_CHECKING:
    import zipfile

    import pandas as pd

LARGEST = 4 * 2**20  # bytes of a member, uncompressed; phenopacket-store's are below 70 KiB
SEXES = {"MALE": "male", "FEMALE": "female", "OTHER_SEX": "other"}


class PhenopacketsParams(Strict):
    """Which published patients make the task."""

    file: RelativeFile
    """Zip archive or folder in data/incoming, with one phenopacket per .json file."""
    min_phenotypes: int = Field(ge=1, le=100)
    """Observed phenotypes that a patient must have; applied first."""
    min_publications: int = Field(ge=0, le=1000)
    """Publications that a disease must have, counted among the patients left; applied second."""
    max_patients: int = Field(ge=1)
    """Patients of each disease, chosen by a seeded hash of their ids; applied last."""


def read(params: PhenopacketsParams, *, incoming: Path, ontology: Path, seed: int) -> Batch:
    """Return the task's patients, a short note about each.

    Phenotypes are HPO ids; the publication is a group; patient ids are qualified by it. Members that are no
    phenopacket with a diagnosis are rejected. Raises StageError where the archive can't be opened or has none.
    """
    import pandas as pd

    path = find(incoming, params.file, key="acquire.phenopackets.file")
    labels = {identifier: term.label for identifier, term in read_terms(ontology / "hp.obo").items()}
    members = _folder(path) if path.is_dir() else _archive(path)
    cases: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for member, content in progress(members, description="reading phenopackets"):
        result = _case(content, labels=labels) if isinstance(content, bytes) else content
        if isinstance(result, str):
            rejected.append(Rejected(params.file, member, result))
        else:
            cases.append(result | {"file": params.file, "row": member})
    if not cases and not rejected:
        raise StageError(f"{path}: holds no .json file; expected one phenopacket per file")
    if not cases:
        return Batch(pd.DataFrame(), rejected_table(rejected), published=True)
    chosen = select(pd.DataFrame(cases), params=params, seed=seed)
    log.info("%s: %s patients of %s make the task", params.file, f"{len(chosen):,}", f"{len(cases):,}")
    return Batch(chosen.drop(columns="publication"), rejected_table(rejected), published=True)


def select(cases: pd.DataFrame, *, params: PhenopacketsParams, seed: int) -> pd.DataFrame:
    """Return patients with enough phenotypes, then those of diseases with enough publications, then at most so many."""
    cases = cases[cases["phenotypes"].str.len() >= params.min_phenotypes]
    publications = cases.groupby("diagnosis_code")["publication"].nunique()
    cases = cases[cases["diagnosis_code"].map(publications) >= params.min_publications]
    order = cases["record_id"].map(lambda identifier: hashlib.sha256(f"{seed}/{identifier}".encode()).hexdigest())
    rank = order.groupby(cases["diagnosis_code"]).rank(method="first")
    return cases[rank <= params.max_patients]


def _archive(path: Path) -> Iterator[tuple[str, bytes | str]]:
    """Yield each JSON member's name with its bytes, or with the reason why it can't be read; nothing is unpacked."""
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise StageError(f"{path}: is not a zip archive, or is truncated ({error}); copy it again") from None
    with archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.filename.endswith(".json") and not info.filename.startswith("__MACOSX/"):
                yield info.filename, _member(archive, info)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | str:
    import zipfile
    import zlib

    if info.flag_bits & 0x1:
        return "encrypted"
    if info.file_size > LARGEST:
        return f"larger than {LARGEST:,} bytes"
    try:
        with archive.open(info) as file:
            return file.read(LARGEST)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return "damaged in the archive"


def _folder(path: Path) -> Iterator[tuple[str, bytes | str]]:
    for file in sorted(path.rglob("*.json")):
        member = file.relative_to(path).as_posix()
        if not file.resolve().is_relative_to(path.resolve()) or not file.is_file():
            yield member, "not a file of the folder"
        elif file.stat().st_size > LARGEST:
            yield member, f"larger than {LARGEST:,} bytes"
        else:
            yield member, file.read_bytes()


def _case(content: bytes, *, labels: dict[str, str]) -> dict[str, Any] | str:
    """Return the record of one phenopacket, or the reason why it can't be used."""
    try:
        packet = Phenopacket.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join(part for part in problem["loc"] if isinstance(part, str))
        return f"not a phenopacket: {where} {problem['type']}" if where else "not JSON"
    diagnosis, observed = packet.diagnosis(), packet.observed()
    if diagnosis is None:
        return "no diagnosis"
    secrets = [diagnosis.label, *packet.genes()]
    told = [text for key, label in observed.items() if not _names(text := labels.get(key, label), secrets)]
    if not told:
        return "no phenotype to tell"
    last = packet.subject.time_at_last_encounter
    age = last.age.years() if last and last.age else None
    sex = SEXES.get(packet.subject.sex)
    publication = packet.publication()
    return {
        "record_id": packet.id,
        "patient_id": f"{publication or packet.id}/{packet.subject.id}",
        "groups": [publication] if publication else [],
        "publication": publication,
        "text": f"{_person(sex=sex, age=age)} with {_listed(told)}.",
        "diagnosis": diagnosis.label,
        "diagnosis_code": diagnosis.id,
        "age": age,
        "sex": sex,
        "voice": "case report",
        "phenotypes": list(observed),
    }


def _names(text: str, secrets: Sequence[str]) -> bool:
    """Say whether a text holds one of the names as whole words."""
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) for name in secrets)


def _person(*, sex: str | None, age: float | None) -> str:
    adult = age is None or age >= 18
    noun = {"male": ("boy", "man"), "female": ("girl", "woman")}.get(str(sex), ("child", "patient"))[adult]
    if age is None:
        return f"A {sex} patient" if sex in {"male", "female"} else "A patient"
    number, unit = (int(age), "year") if age >= 2 else (round(age * 12), "month")
    if age < 1 / 12:
        return f"A newborn {noun}"
    return f"{article(number).capitalize()} {number}-{unit}-old {noun}"


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
