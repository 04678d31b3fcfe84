"""What the labels of NER models mean here: one table for spaCy pipelines and token classifiers."""

from __future__ import annotations

import re

from stages.lib.stage import StageError

# By the labels of CoNLL-2003, OntoNotes 5, i2b2-2014 and de-identification models on the hub, in capitals, without
# position (B-, I-, …), blanks and signs. Names must pass the safeguards.
NAMES = {
    "PERSON": "PERSON PER PATIENT DOCTOR STAFF HCW NAME FIRSTNAME MIDDLENAME LASTNAME GIVENNAME SURNAME FULLNAME",
    "LOCATION": "GPE LOC LOCATION LOCATIONOTHER FAC CITY STATE COUNTRY COUNTY STREET STREETADDRESS ADDRESS",
    "ORGANIZATION": "ORG ORGANIZATION ORGANISATION HOSPITAL HOSP PATORG VENDOR COMPANY COMPANYNAME EMPLOYER",
    "NRP": "NORP NRP",
}
# The safeguards know words: these count where what is found looks like a number or an address
NUMBERS = {
    "PHONE_NUMBER": "PHONE PHONENUMBER FAX FAXNUMBER TELEPHONENUM TELEPHONE",
    "EMAIL_ADDRESS": "EMAIL MAIL EMAILADDRESS",
    "URL": "URL WEB",
    "IP_ADDRESS": "IP IPADDR IPADDRESS MACADDRESS IPV",
    "MEDICAL_RECORD_NUMBER": "MEDICALRECORD MEDICALRECORDNUMBER MRN",
    "HEALTH_PLAN_NUMBER": "HEALTHPLAN HEALTHPLANNUMBER HEALTHPLANBENEFICIARYNUMBER",
    "ACCOUNT_NUMBER": "ACCOUNT ACCOUNTNUM ACCOUNTNUMBER CREDITCARDNUMBER CREDITDEBITCARD BANKROUTINGNUMBER",
    "LICENSE_NUMBER": "LICENSE DRIVERLICENSENUM CERTIFICATELICENSENUMBER",
    "VEHICLE_ID": "VEHICLE VEHICLEIDENTIFIER LICENSEPLATE",
    "DEVICE_ID": "DEVICE DEVICEIDENTIFIER",
    "BIOMETRIC_ID": "BIOID BIOMETRIC BIOMETRICIDENTIFIER",
    "ID": "ID IDNUM IDCARDNUM SSN SOCIALNUM TAXNUM TAXID UNIQUEID USERNAME OTHERPHI ZIP ZIPCODE POSTCODE BUILDINGNUM",
}
# Which date or age is PHI is left to their recognizers, which know durations; the others name nobody
IGNORED = (
    "O DATE TIME DATETIME DATEOFBIRTH DOB AGE DURATION MISC CARDINAL ORDINAL QUANTITY PERCENT MONEY EVENT LANGUAGE LAW "
    "PRODUCT WORKOFART PROFESSION OCCUPATION GENDER"
)
IDENTIFYING = re.compile(r"(?:\d\D?){4}|@|://|[^\W\d_]\.[a-z]{2}")
POSITION = re.compile(r"^[BIELSU][-_](?=.)")


def entity_of(label: str, model: str) -> str | None:
    """Return the entity that a `label` of `model` means, None for what is ignored; raise StageError for an unknown."""
    table = {word: entity for group in (NAMES, NUMBERS) for entity, words in group.items() for word in words.split()}
    name = re.sub(r"[^A-Z]", "", POSITION.sub("", label).upper())
    if name not in table and name not in IGNORED.split():
        raise StageError(
            f"fetch.ner.{model}: its label {label!r} is unknown; add {name!r} to the entity that it means, or to what "
            "is ignored, in stages/lib/phi/labels.py"
        )
    return table.get(name)
