"""Canaries: invented rows with identifiers of every Safe Harbor class, scrubbed with the rest to prove that they go."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from stages.lib.placeholders import PLACEHOLDER

# The classes of 45 CFR 164.514(b)(2)(i)(A) to (R), the entity that they are found as, and texts; braces hold what
# must go. All are invented: names of no one, telephone numbers of fiction, addresses of documentation (RFC 2606, 5737).
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "A names": (
        "PERSON",
        (
            "Seen by Dr. {Brannigan} {Tolliver} for follow-up of the cough.",
            "Patient name: {OTTILIE} {VANTERPOOL}\nFever since yesterday.",
            "Mr. {Thaddeus} {Wrenfield} came with chest pain; his wife {Philippa} {Wrenfield} called us.",
        ),
    ),
    "A hospitals and employers": (
        "ORGANIZATION",
        (
            "She was transferred from {Marlowe} {General} Hospital with pneumonia.",
            "Referred by St. {Brannock} Medical Center.",
        ),
    ),
    "B places below a state": (
        "LOCATION",
        (
            "Lives at {2268} {Thornbury} Avenue, {Springfield}, IL {62704}, and has had fever.",
            "Address: {915} {Marigold} Street\n{Portland}, OR {97205}",
            "Lives in {Sacramento} with her sister.",
        ),
    ),
    "C dates": (
        "DATE_TIME",
        (
            "Admitted on {04/17/2019} with dyspnea, discharged {2019-04-25}.",
            "Date of birth: {June 23, 1948}. No allergies.",
            "Seen on {3 November 2020} for cough.",
        ),
    ),
    "C ages over 89": ("AGE", ("A {97}-year-old woman with a fall.", "Age: {94}, lives alone.")),
    "D telephone numbers": (
        "PHONE_NUMBER",
        (
            "Call her at {(617) 555-0148} with the results.",
            "Phone: {312-555-0163}, ask for the daughter.",
            "Mobile {+1 206 555 0119} after noon.",
        ),
    ),
    "E fax numbers": (
        "PHONE_NUMBER",
        ("Fax: {(503) 555-0127}", "Please send the report by fax to {214.555.0190}."),
    ),
    "F e-mail addresses": (
        "EMAIL_ADDRESS",
        ("Write to {o.vanterpool@example.org} about the scan.", "E-mail: {BRANNIGAN.T@EXAMPLE.COM}"),
    ),
    "G social security numbers": (
        "ID",
        ("SSN {512-48-7736} on file.", "Social security number: {512 48 7736}", "SSN: {512487736}"),
    ),
    "H medical record numbers": (
        "MEDICAL_RECORD_NUMBER",
        ("MRN: {00-7341-882}, seen for cough.", "Medical record number {58820417}.", "Chart no. {H4471920}"),
    ),
    "I health plan numbers": (
        "HEALTH_PLAN_NUMBER",
        ("Health plan number: {XKW771942083}", "Her policy number is {BR-5519-27}, valid."),
    ),
    "J account numbers": (
        "ACCOUNT_NUMBER",
        ("Account number: {7740-2215-9}", "Billed to account no. {AC40917725}."),
    ),
    "K certificate and license numbers": (
        "LICENSE_NUMBER",
        ("Driver's license number {D400-7836-0201}.", "License no: {G5583021}", "Passport number: {K08837714}"),
    ),
    "L vehicle identifiers": (
        "VEHICLE_ID",
        ("VIN: {1M8GDM9AXKP042788}", "License plate {7KRD-204} was noted by the ambulance."),
    ),
    "M device identifiers": (
        "DEVICE_ID",
        ("Pacemaker serial number {SN58213K} was read.", "Device ID: {DV-4402917}"),
    ),
    "N web addresses": (
        "URL",
        ("Results at {https://portal.example.org/p/55218}.", "See {www.example.com/u/7731} for the diary."),
    ),
    "O IP addresses": (
        "IP_ADDRESS",
        ("Logged in from {203.0.113.77} at home.", "Upload by {2001:db8:85a3::8a2e:370:7334}."),
    ),
    "P biometric identifiers": (
        "BIOMETRIC_ID",
        ("Fingerprint ID: {FP-20931}", "Voice print number {VP-88412} was enrolled."),
    ),
    "Q photographs": (
        "PHOTO",
        ("Photo of the face: {IMG_5521.jpg}", "Portrait stored as {DSC04417.JPG}."),
    ),
    "R other unique numbers": (
        "ID",
        ("Study participant number: {S-440917}", "Employee ID: {E4410927}"),
    ),
}
PLANTED = re.compile(r"\{([^{}]*)\}")
SHORTEST_DIGITS = 5  # fewer in a row occur by chance


class Canary(NamedTuple):
    """A text of a Safe Harbor class, which of the class's texts it is (from 1), and what must go from it."""

    safe_harbor: str
    form: int
    text: str
    values: tuple[str, ...]


def canaries(kept: Collection[str] = ()) -> list[Canary]:
    """Return the canaries of every class but those whose entity is `kept` in the texts on purpose."""
    return [
        Canary(name, form, PLANTED.sub(r"\1", text), tuple(PLANTED.findall(text)))
        for name, (entity, texts) in TEXTS.items()
        if entity not in kept
        for form, text in enumerate(texts, start=1)
    ]


def survives(canary: Canary, text: str) -> bool:
    """Say whether a value of `canary` stands in its scrubbed `text`, in any case, over lines, or as bare digits."""
    digits = re.sub(r"\D", "", PLACEHOLDER.sub(" ", text))
    numbers = [re.sub(r"\D", "", value) for value in canary.values]
    if any(number in digits for number in numbers if len(number) >= SHORTEST_DIGITS):
        return True
    written = "|".join(r"[\s-]*".join(map(re.escape, "".join(value.split()))) for value in canary.values)
    return re.search(rf"(?<!\w)(?:{written})(?!\w)", text, re.IGNORECASE) is not None
