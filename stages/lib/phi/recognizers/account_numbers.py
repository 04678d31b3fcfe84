"""Account numbers of banks, hospitals and shops (45 CFR 164.514(b)(2)(i)(J))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"(?:bank|billing|checking|savings|patient|hospital|guarantor|customer|financial)? ?(?:account|acct\b\.?|a/c)",
    r"billing",
    r"routing",
    r"(?:credit|debit|payment|bank|gift)(?: card)?",
    r"invoice",
    loose=r"card|customer|client|order|receipt|transaction|sort|payment",
    acronyms=r"IBAN|ABA|BIC|HAR",
)


class AccountNumberRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("ACCOUNT_NUMBER", name, supported_language, patterns(FORMATS))
