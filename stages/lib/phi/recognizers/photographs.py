"""Photographs by file name or number (45 CFR 164.514(b)(2)(i)(Q))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"photo(?:graph)?s?", r"portrait", loose=r"pictures?|images?|selfie|headshot|scan|film|slide|clip|video"
) | {
    "file": r"(?<![\w.])[\w-]+(?:[/\\][\w.-]+)*\.(?i:jpe?g|png|gif|bmp|tiff?|heic|heif|webp|raw|dng|mp4|mov|avi|dcm|"
    r"dicom|svg)\b",
    "camera": r"\b(?:IMG|DSC|DSCN|DSCF|DCIM|PXL|MVI|VID|PIC|PHOTO|SCAN|FOTO|Photo|Screenshot)[_ -]?\d{3,}[\w-]*\b",
}


class PhotographRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label and by format."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("PHOTO", name, supported_language, patterns(FORMATS))
