"""Device identifiers and serial numbers, UDI among them (45 CFR 164.514(b)(2)(i)(M))."""

from __future__ import annotations

from presidio_analyzer import PatternRecognizer

from stages.lib.phi.recognizers.labelled import labelled, patterns

FORMATS = labelled(
    r"serial",
    r"device identifier",
    acronyms=r"UDI|IMEI|S/N|GTIN|IMSI|ICCID|UUID|GUID",
    loose=r"(?:medical |implanted |cardiac |insulin )?(?:device|pacemaker|implant|defibrillator|icd|pump|stent|valve|"
    r"lead|prosthesis|stimulator|monitor|catheter|graft|lens|hearing aid|glucometer|ventilator|cochlear implant|"
    r"loop recorder|port|shunt|sensor|transmitter|wheelchair|equipment)|lot|batch|model|"
    r"catalog(?:ue)?|asset",
) | {
    # Unique device identifiers as GS1 and HIBCC print them: (01)00844588003288(17)141120(21)1234
    "GS1": r"\(01\)\d{14}(?:\(\d{2}\)[\w-]+)*",
    "HIBCC": r"(?<!\w)\+[A-Z]\d{3}[A-Z0-9]{1,18}\d(?:/\$?\$?\+?[\w$+-]+)*",
    "UUID": r"(?<![\w-])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![\w-])",
    "serial in the text": r"(?<!\w)(?:SN|S/N)[ :#-]{0,2}\K(?=\w*\d{3})[A-Z0-9-]{5,}",
}


class DeviceRecognizer(PatternRecognizer):  # Presidio's registry looks classes up by name
    """Find them by label and by format."""

    def __init__(self, name: str, supported_language: str) -> None:
        super().__init__("DEVICE_ID", name, supported_language, patterns(FORMATS))
