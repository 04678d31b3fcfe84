"""Replace the ids of a source by keyed pseudonyms: a hospital's ids are PHI."""

from __future__ import annotations

import hashlib
import hmac
import os
import re

from stages.lib.stage import StageError, log
from stages.sources.cases import Case

PUBLICATION = r"PMID:[0-9]+"
OWN_IDS = ("feedback", "fhir", "files")  # what a hospital has, under its own ids; the other sources are published
HOSPITAL = "hospital"
PUBLIC_KEY = b"differential: the public key for simulated and published cases"
SHORTEST_KEY = 16  # bytes: the fingerprint stands in git, so a short key could be found by trying


def read_key(fingerprint: str | None, *, warn: bool) -> hmac.HMAC:
    """Return HMAC-SHA256 under the environment's key if a fingerprint pins it, else under the public one.

    Raises StageError, naming both fingerprints, where DIFFERENTIAL_KEY is another one, too short or not set.
    """
    secret = os.fsencode(os.environ.get("DIFFERENTIAL_KEY", ""))
    found = hashlib.sha256(secret).hexdigest()[:16] if secret else None
    if fingerprint is None:
        if warn:
            own = f"; DIFFERENTIAL_KEY is set, pin it by '{found}'" if found else ""
            log.warning(
                "acquire.key_fingerprint is null: patients' own ids become pseudonyms under a public key%s", own
            )
        return hmac.new(PUBLIC_KEY, digestmod="sha256")
    if found != fingerprint:
        there = f"the fingerprint {found}" if found else "none: it is not set"
        raise StageError(
            f"params.yaml: acquire.key_fingerprint: {fingerprint} is pinned, but DIFFERENTIAL_KEY has {there}; "
            "export the pinned key, or pin the one that is exported"
        )
    if len(secret) < SHORTEST_KEY:
        raise StageError(f"DIFFERENTIAL_KEY: has fewer than {SHORTEST_KEY} bytes; make one by `openssl rand -hex 32`")
    return hmac.new(secret, digestmod="sha256")


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
