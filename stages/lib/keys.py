"""The secret key of the environment, pinned in params.yaml by its fingerprint."""

from __future__ import annotations

import hashlib
import hmac
import os

from stages.lib.stage import StageError

SHORTEST_KEY = 16  # bytes: the fingerprint stands in git, so a short key could be found by trying


def fingerprint_of_key() -> str | None:
    """Return the first 16 hexadecimal digits of the SHA-256 of DIFFERENTIAL_KEY, or None where it is not set."""
    secret = os.fsencode(os.environ.get("DIFFERENTIAL_KEY", ""))
    return hashlib.sha256(secret).hexdigest()[:16] if secret else None


def pinned_key(fingerprint: str, *, parameter: str) -> hmac.HMAC:
    """Return HMAC-SHA256 under the environment's key.

    Raises StageError, naming both fingerprints, where DIFFERENTIAL_KEY is another one, too short or not set.
    """
    found = fingerprint_of_key()
    if found != fingerprint:
        there = f"the fingerprint {found}" if found else "none: it is not set"
        raise StageError(
            f"params.yaml: {parameter}: {fingerprint} is pinned, but DIFFERENTIAL_KEY has {there}; "
            "export the pinned key, or pin the one that is exported"
        )
    secret = os.fsencode(os.environ["DIFFERENTIAL_KEY"])
    if len(secret) < SHORTEST_KEY:
        raise StageError(f"DIFFERENTIAL_KEY: has fewer than {SHORTEST_KEY} bytes; make one by `openssl rand -hex 32`")
    return hmac.new(secret, digestmod="sha256")
