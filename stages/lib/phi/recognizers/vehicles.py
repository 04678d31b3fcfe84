"""Vehicle identification numbers and licence plates (45 CFR 164.514(b)(2)(i)(L))."""

from __future__ import annotations

from presidio_analyzer import Pattern, PatternRecognizer

from stages.lib.phi.recognizers.labelled import UNIT, labelled, patterns

VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
ALPHABET = {*VALUES, *"0123456789"}
WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
PLATE = r"\K#?(?=[A-Z0-9 \u00b7-]{4})(?=[A-Z0-9 \u00b7-]*\d)[A-Z0-9]{1,4}(?:[ \u00b7-]?[A-Z0-9]{1,4}){0,3}(?![\w-])"
# letters and digits in up to four groups, five to ten characters in all
MARK = (
    r"\K(?=[A-Z \u00b7-]*\d)(?=[\d \u00b7-]*[A-Z])(?=[A-Z\d](?:[ \u00b7-]?[A-Z\d]){3,9}(?!\w))"
    r"(?:[A-Z]{1,3}|\d{1,4}|[A-Z\d]{4,8})(?:[ \u00b7-]{0,2}(?:[A-Z]{1,3}|\d{1,4}|[A-Z\d]{4,8})){0,4}(?![\w-])"
)
FORMATS = labelled(
    r"(?:vehicle|chassis)(?: identification)?",
    acronyms=r"VINs?|V\.I\.N\.",
    loose=r"car|truck|motorcycle|motorbike|van|frame|ambulance|registration",
) | {
    "plate": r"(?<!\w)(?i:licen[cs]e plates?|number plates?|(?:vehicle )?registration(?: plates?| mark)|"
    r"(?:plates?|tags?)(?=\s?[:#=]|\s(?:no|number)))"
    rf"(?i:\s?(?:numbers?|nos?\b\.?|#))?(?:\s?[:=|(\u2013-]\s?|\s(?i:is|was|reads?|of)\s|\s)(?:[A-Z]{{2}}\s)?{PLATE}",
    "vehicle and plate": rf"(?<!\w)(?i:cars?|vehicle|truck|lorry|van|suv|sedan|taxi|cab|motorcycle|motorbike|moped|"
    rf"scooter|(?:licen[cs]e |number )?plates?|reg(?:istration)?\.?|rego|(?:driv|park)\w+ an? (?:\w+ ){{1,3}}?)"
    rf"[\s:,(#]{{1,3}}{MARK}",
    "plate in any case": r"(?<!\w)(?i:plates?|reg(?:istration)?\.?|rego)(?i: (?:no|number|nr)\.?)?[\s:]{1,2}"
    rf"\K(?=(?:[A-Za-z \u00b7-]*\d){{3}})(?:[A-Za-z]{{1,3}}|\d{{1,4}})"
    rf"(?:[ \u00b7-]?(?!{UNIT}\b)(?:[A-Za-z]{{1,3}}|\d{{1,4}})){{1,3}}(?![\w-])",
    "car with a plate": rf"(?<!\w)(?i:car|vehicle|truck|van|suv|sedan|motorcycle)\s?\((?:[\w ]+[,: ]\s?)?{PLATE}(?=\))",
}
VIN = Pattern("VIN", r"(?<!\w)(?=[A-Z0-9]*\d[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}(?!\w)", 0.95)


class VehicleRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label, and a vehicle number by its 17 characters; in lower case, by its check digit."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("VEHICLE_ID", name, supported_language, [*patterns(FORMATS), VIN])

    def invalidate_result(self, pattern_text: str) -> bool:
        """Say whether `pattern_text` is a word in lower case that only looks like a vehicle number."""
        number = pattern_text.upper()
        return len(number) == 17 and number != pattern_text and set(number) <= ALPHABET and not has_check_digit(number)


def has_check_digit(number: str) -> bool:
    """Say whether the ninth of 17 characters is the check digit of the others (49 CFR 565.15)."""
    total = sum(
        weight * (int(character) if character.isdigit() else VALUES[character])
        for character, weight in zip(number, WEIGHTS, strict=True)
    )
    return number[8] == "0123456789X"[total % 11]
