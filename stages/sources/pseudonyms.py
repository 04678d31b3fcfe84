"""Replace the ids of a source by keyed pseudonyms: a hospital's ids are PHI."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stages.lib.stage import StageError, log
from stages.sources.batch import Batch

if TYPE_CHECKING:
    import pandas as pd

PUBLIC_KEY = b"differential: the public key for simulated and published cases"
SHORTEST_KEY = 16  # bytes: the fingerprint stands in git, so a short key could be found by trying


def read_key(fingerprint: str | None, *, warn: bool) -> bytes:
    """Return the key of the pseudonyms: the environment's if a fingerprint pins it, else the public one.

    Raises StageError, naming both fingerprints, where DIFFERENTIAL_KEY is another one, too short or not set.
    """
    secret = os.environ.get("DIFFERENTIAL_KEY", "").encode()
    found = hashlib.sha256(secret).hexdigest()[:16] if secret else None
    if fingerprint is None:
        if warn:
            own = f"; DIFFERENTIAL_KEY is set, pin it by '{found}'" if found else ""
            log.warning("acquire.key_fingerprint is null: ids in files become pseudonyms under a public key%s", own)
        return PUBLIC_KEY
    if found != fingerprint:
        there = f"the fingerprint {found}" if found else "none: it is not set"
        raise StageError(
            f"params.yaml: acquire.key_fingerprint: {fingerprint} is pinned, but DIFFERENTIAL_KEY has {there}; "
            "export the pinned key, or pin the one that is exported"
        )
    if len(secret) < SHORTEST_KEY:
        raise StageError(f"DIFFERENTIAL_KEY: has fewer than {SHORTEST_KEY} bytes; make one by `openssl rand -hex 32`")
    return secret


def pseudonymised(batch: Batch, *, source: str, key: bytes) -> pd.DataFrame:
    """Return records whose ids, and groups unless published, are HMAC-SHA256 of what they were, behind the source."""

    def pseudonym(kind: str) -> Callable[[Any], str]:
        return lambda value: f"{source}-{_digest(key, source, kind, str(value))}"

    records = batch.records
    patient, group = pseudonym("patient"), pseudonym("group")
    groups = records["groups"].map(list if batch.published else lambda values: [group(value) for value in values])
    return records.assign(
        record_id=records["record_id"].map(pseudonym("record")),
        patient_id=records["patient_id"].map(patient),
        groups=groups,
        source=source,
    )


def _digest(key: bytes, *parts: str) -> str:
    return hmac.new(key, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()[:16]
