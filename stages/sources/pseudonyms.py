"""Replace the ids of a source by keyed pseudonyms: a hospital's ids are PHI."""

from __future__ import annotations

import hmac
import re

from stages.lib.keys import fingerprint_of_key, pinned_key
from stages.lib.stage import log
from stages.sources.cases import Case

PUBLICATION = r"PMID:[0-9]+"
OWN_IDS = ("feedback", "fhir", "files")  # what a hospital has, under its own ids; the other sources are published
HOSPITAL = "hospital"
PUBLIC_KEY = b"differential: the public key for simulated and published cases"


def read_key(fingerprint: str | None, *, warn: bool) -> hmac.HMAC:
    """Return HMAC-SHA256 under the environment's key if a fingerprint pins it, else under the public one.

    Raises StageError, naming both fingerprints, where DIFFERENTIAL_KEY is another one, too short or not set.
    """
    if fingerprint is not None:
        return pinned_key(fingerprint, parameter="acquire.key_fingerprint")
    if warn:
        found = fingerprint_of_key()
        own = f"; DIFFERENTIAL_KEY is set, pin it by '{found}'" if found else ""
        log.warning("acquire.key_fingerprint is null: patients' own ids become pseudonyms under a public key%s", own)
    return hmac.new(PUBLIC_KEY, digestmod="sha256")


def pseudonymised(case: Case, *, source: str, key: hmac.HMAC) -> Case:
    """Return a case whose ids, and groups unless they are publications, are pseudonyms, behind who gave the ids.

    A hospital's sources share its patients and groups, so that none of them crosses splits.
    """
    owner = HOSPITAL if source in OWN_IDS else source
    return case | {
        "record_id": _pseudonym(key, source, "record", str(case["record_id"])),
        "patient_id": _pseudonym(key, owner, "patient", str(case["patient_id"])),
        "groups": [
            group if re.fullmatch(PUBLICATION, group) else _pseudonym(key, owner, "group", group)
            for group in case["groups"]
        ],
        "source": source,
    }


def _pseudonym(key: hmac.HMAC, source: str, kind: str, value: str) -> str:
    keyed = key.copy()  # less than half the time of beginning with the key
    keyed.update("\x1f".join((source, kind, value)).encode("utf-8", "surrogatepass"))
    return f"{source}-{keyed.hexdigest()[:16]}"
