"""The recognizers of recognizers.yaml, read by Presidio's registry, and which texts each has to see."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.phi.spans import ENTITIES
from stages.lib.stage import StageError

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

CONFIGURATION = Path(__file__).with_name("recognizers.yaml")
NER = "SpacyRecognizer"
ENTITY_OF = {
    "CREDIT_CARD": "ACCOUNT_NUMBER",
    "CRYPTO": "ACCOUNT_NUMBER",
    "IBAN_CODE": "ACCOUNT_NUMBER",
    "MAC_ADDRESS": "IP_ADDRESS",
    "MEDICAL_LICENSE": "LICENSE_NUMBER",
    "UK_NHS": "HEALTH_PLAN_NUMBER",
    "US_BANK_NUMBER": "ACCOUNT_NUMBER",
    "US_DRIVER_LICENSE": "LICENSE_NUMBER",
    "US_HEALTH_INSURANCE_MEMBER_ID": "HEALTH_PLAN_NUMBER",
    "US_ITIN": "ID",
    "US_MBI": "HEALTH_PLAN_NUMBER",
    "US_NPI": "LICENSE_NUMBER",
    "US_PASSPORT": "LICENSE_NUMBER",
    "US_SSN": "ID",
}
# What finds shapes that clinical words have too must pass the safeguards, as must what NER finds
UNSURE = frozenset({NER, "CompanyShapeRecognizer", "NameShapeRecognizer", "PlaceShapeRecognizer"})
# A recognizer runs only where its text could match at all; by class, so that a format of a hospital's own always runs
NEEDS = {
    r"\d(?:\D{0,4}\d){6}": (
        "AnyPhoneRecognizer CreditCardRecognizer NhsRecognizer PhoneRecognizer UsBankRecognizer UsItinRecognizer "
        "UsNpiRecognizer UsSsnRecognizer"
    ),
    r"\d\D?\d": (
        "AccountNumberRecognizer BiometricRecognizer CryptoRecognizer DeviceRecognizer HealthPlanNumberRecognizer "
        "IbanRecognizer LicenseNumberRecognizer MedicalLicenseRecognizer MedicalRecordNumberRecognizer "
        "OtherIdentifierRecognizer UsHealthInsuranceMemberIdRecognizer UsLicenseRecognizer UsMbiRecognizer "
        "UsPassportRecognizer"
    ),
    r"\d": "VehicleRecognizer",
    r"@": "EmailRecognizer",
    r"@|[\[(][aA][tT][\])]": "AnyEmailRecognizer",
    r"\w\.[A-Za-z]{2}|://": "LinkRecognizer UrlRecognizer",
    r"[\dA-Fa-f][:.-][\dA-Fa-f:]": "IpRecognizer MacAddressRecognizer",
    "": "",  # all others
}


def load_recognizers(configuration: Path = CONFIGURATION) -> list[EntityRecognizer]:
    """Return the pattern recognizers of `configuration`, in its order; NER is not among them.

    Raises StageError where Presidio refuses the file, or an entity is none that a placeholder names; from then on, so
    does a pattern that takes longer than Presidio's limit (REGEX_TIMEOUT_SECONDS, by default 60).
    """
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    for path in sorted((Path(__file__).parent / "recognizers").glob("*.py")):
        importlib.import_module(f"stages.lib.phi.recognizers.{path.stem}")  # the registry finds loaded classes only
    try:
        registry = RecognizerRegistryProvider(conf_file=configuration).create_recognizer_registry()
    except (ValueError, TypeError) as error:
        raise StageError(f"{configuration.name}: {' '.join(str(error.__cause__ or error).split())}") from None
    keep_tldextract_offline()
    logging.getLogger("presidio-analyzer").addFilter(_refuse_timeout)
    recognizers = [recognizer for recognizer in registry.recognizers if type(recognizer).__name__ != NER]
    for recognizer in recognizers:
        for entity in recognizer.supported_entities:
            if entity not in ENTITIES and entity not in ENTITY_OF:
                allowed = ", ".join(ENTITIES)
                raise StageError(f"{configuration.name}: unknown entity {entity!r}; choose from {allowed}")
    return recognizers


def gated_recognizers(recognizers: Iterable[EntityRecognizer]) -> list[tuple[re.Pattern[str], list[EntityRecognizer]]]:
    """Return the recognizers by the pattern that a text has to match for them to find anything."""
    gate_of = {name: gate for gate, names in NEEDS.items() for name in names.split()}
    gates: dict[str, list[EntityRecognizer]] = {gate: [] for gate in NEEDS}
    for recognizer in recognizers:
        gates[gate_of.get(type(recognizer).__name__, "")].append(recognizer)
    return [(re.compile(gate), found) for gate, found in gates.items()]


def _refuse_timeout(record: logging.LogRecord) -> bool:
    """Raise StageError for what Presidio only logs: a pattern ran out of time and left a text unsearched."""
    if record.exc_info and isinstance(record.exc_info[1], TimeoutError):
        said = record.getMessage().removesuffix(", skipping.")
        raise StageError(f"scrub: {said}: PHI could be left; make it simpler (stages/lib/phi/recognizers.yaml)")
    return True


def keep_tldextract_offline() -> None:
    """Give the e-mail recognizer the suffix list in the package: by default it downloads a new one."""
    import tldextract

    extractor = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    modules: tuple[Any, ...] = (tldextract, tldextract.tldextract)
    for module in modules:
        module.extract = extractor
    tldextract.tldextract.TLD_EXTRACTOR = extractor
