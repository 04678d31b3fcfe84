"""Recognizers: each class of Safe Harbor by its labels and formats, and the measurements that look like them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.lib.phi.recognizers.vehicles import has_check_digit
from stages.lib.phi.registry import CONFIGURATION, load_recognizers
from stages.lib.phi.spans import ENTITIES
from stages.lib.stage import StageError

# what must be found, in «», by the recognizer of that name
FOUND = {
    "MedicalRecordNumberRecognizer": [
        "MRN: «00-4471-932»",  # groups
        "MRN «48213377» was seen",  # an acronym needs no separator
        "medical record number is «A-778812»",  # label, number word, verb
        "(Hospital No. «KH/20/4471»)",  # slashes
        "Chart # «99-120-4»",
        "MRN: «4417  0932»",  # typed with two blanks
        "MRN\n«5510023»",  # a form: the value is on the next line
        "Patient ID: «PT0042»",
    ],
    "HealthPlanNumberRecognizer": [
        "Medicare number «1EG4-TE5-MK73»",
        "Policy no. «BX-7719-22»",
        "Member ID | «W2210 55871 01»",  # a table
        "insurance card number: «ZGP 841120»",
        "Group number «004417»",
        "plan «KW730118264»",  # a code that is no measurement needs no separator
    ],
    "AccountNumberRecognizer": [
        "account number «7712-0098»",
        "Acct#: «SH-456789»",
        "invoice: «INV-20331»",
        "acct «440-71823-5»",  # a check digit of its own
        "routing number «021000021»",
    ],
    "LicenseNumberRecognizer": [
        "driver's license number «D400-7836-0001»",
        "DEA «BF1234563»",
        "NPI: «1245319599»",
        "Passport No «C01X00T47»",
        "nursing licence #«RN-552310»",
        "driving licence «kb338102z» expired",
    ],
    "VehicleRecognizer": [
        "drives a van, VIN «1M8GDM9AXKP042788»",
        "found in car «WVWZZZ1JZXW000001» at night",  # a European number, without check digit
        "vin «1m8gdm9axkp042788»",  # lower case, by its check digit
        "license plate «7ABC123»",
        "number plate: «LB07 SEO»",
        "his car (plate «B-AB 1234»)",
        "Car «417 HZD» outside",  # a vehicle, then letters and digits
        "by car, plate «PKV-338»",
        "parked a grey van «KX52 TNR»",
    ],
    "DeviceRecognizer": [
        "pacemaker serial number «SN48832K»",
        "UDI «(01)00844588003288(17)141120(21)10987654»",
        "stent lot number «LX-2210»",
        "pump id «0f8fad5b-d9cb-469f-a165-70867728950e»",
        "Serial: «PJN402115H»",
    ],
    "BiometricRecognizer": [
        "fingerprint ID «FP-88213-A»",
        "biometric template: «a94f-2210-bb71»",
        "voiceprint number «VP20991»",
        "iris scan «IR-0042-77»",
        "hash «9e107d9d372bb6826bd81d3542a419d6» on file",
    ],
    "PhotographRecognizer": [
        "see «IMG_20210314.jpg»",
        "photo «scans/face-01.png» attached",
        "«DSC04412» shows the rash",
        "Photograph no. «2021-14»",
    ],
    "OtherIdentifierRecognizer": [
        "SSN «536-22-8145»",
        "prescription number «RX-88120»",
        "specimen no. «S21-4410»",
        "employee ID: «E00912»",
        "card shown: «B417-2290-8836»",
    ],
    "AgeRecognizer": [
        "a «93-year-old» woman",
        "«101 yo» male",
        "«aged 90»",
        "Age: «94», lives alone",  # behind a label the number alone
        "Died «aged ninety-four».",  # in words
        "turned «ninety» in spring",
    ],
    "AnyEmailRecognizer": [
        "to «m.roe+lab@ward.invalid» today",  # a domain that no list of suffixes has
        "at «j.roe (at) ward (dot) example»",  # spelled out
    ],
    "CalendarDateRecognizer": [
        "on «03/14/2021»",
        "the «5th of November 2019»",
        "seen on «Monday»",
        "«2021-03-20T11:05»",
        "«Tue 09 Apr 2019»",
        "dob «14  June 2003»",
        "«11-May-2017», «7Feb2016», «June  3 ,2019», «2018 March 5»",
        "«mar 21 2018»",
    ],
    "AnyPhoneRecognizer": [
        "call «(415) 555-2671»",
        "F «(415)555-2671»",
        "fax «+44 7700 900123»",
        "tel «030 1234567»",
        "or «(351) 222 482 447»",
        "«+(370) 87065247»",
    ],
    "LinkRecognizer": ["at «https://portal.example.com/p/8831»", "«www.clinic.example/x»"],
    "AddressRecognizer": [
        "at «1427 Larkspur Lane, Apt 3»",
        "«Boise, ID 83702»",
        "lives in «Duluth»",
        "from «Travis County»",
        "«12 Kossuth Lajos utca 5»",
        "«PSC 4417, Box 88»",
        "ZIP «02139»",
        "«4 Harrow Glen, Little Marsden, QX4 2LP»",  # postal code of letters and digits
        "«Flat 7B, Ash Court, Norwell, K1A 0B1»",
        "«12, rue Émile Berthier, 60410 Verrines»",  # number, street, code, town
        "«ulica Lipowa 8, 31-402 Brzezie»",  # street, number, code, town
        "«Vicolo Arnaldi, 27, 20831, Seregno (MB)»",
        "«H.No. 214, Patel Nagar, Vadnagar 384355»",
        "Patient is a 4-year-old boy from «Elmdorf»",
        "«Strada Lunga Nr. 7 Bl. 3 Sc. 1 Ap. 14»",  # block, staircase, flat
        "«Diagonal Sarmiento N° 292»",
        "«12 montée Aubert», Sainte-Rose",
        "«Rua do Carmo, S/N», 4000-010 Aveiro",  # without number
        "«Kastanjelaan 8 3903 JL Oudorp»",  # no comma before the code
        "«Level 6», 5 Ashby Parade",  # a unit before the house
        "7 Aas Road\nVikby\n, «Norway»",  # a country ends an address
        "«14 Larch Road\nCoveport\n, QLD\n 4870»",  # a line with a region's code
    ],
    "PlaceShapeRecognizer": [
        "Lives at «5 Ashby Steps». Has asthma.",  # no kind of street that a list has
        "send it to «Brekka 9b» today",
        "a branch near «Waldau am Grünsee»?",  # a small word within
    ],
    "FacilityRecognizer": ["at «St. Brendan's Hospital»", "«University of Oslo»", "at «Mt. Sinai»"],
    "EmployerRecognizer": [
        "works at «Halden Freight»",
        "Employer: «Orbis»",
        "works for «Kalina-Mazur Sp. z o.o.»",
        "«Kestrel Tools, Ltd.»",
        "billed to «Okoro and Sons»",
        "«Vidal y asociados S.Com.»",
        "«Mazur Sp. z o.o. Sp.k.»",  # two forms
    ],
    "CompanyShapeRecognizer": [
        "«Baert, Smets en van Damme»",  # partners
        "he left «Kalina Logistics»",  # a line of business
    ],
    "AnnouncedNameRecognizer": [
        "«Dr. Amara Okonkwo»",
        "«Dr. med. K Adeyemi»",
        "NAME: «ines b okafor»\n",
        "Patient name: «QUENTIN HARGREAVES»",
        "«Priya Rao», MD",
        "Discharge summary: «MEIS Tove»",
        "Completed by: «V. Schrant»",
        "our son «Vidar» has asthma",
        "she is the guardian of «Vera»",
        "D/C: «VAN DE VELDE, Nils», MRN 20-1143",
        "Copy: «'s Gravenmoer, Anke»",  # a particle with an apostrophe
        "likes to be called '«Sunny»' here",  # quoted
        "everyone calls me «Tove»",
    ],
    "NameShapeRecognizer": [
        "- And your name?\n- It's «Finkel»",
        "please ask for «Yusuf», he knows",
        "this is «Tove Meis» speaking",
        "Wife «Tenvir» at bedside",
    ],
}
# by shape alone, with the safeguards after them
SHAPES = {"CompanyShapeRecognizer", "NameShapeRecognizer", "PlaceShapeRecognizer"}
CLINICAL = [
    "Patient: CT angiography, patient: MRI of the knee",  # an abbreviation behind a label is no name
    "ninety percent of patients, aged 45 to 60, at ninety degrees",
    "BP: 120/80 mmHg, monitor: 118/76, pulse 72",
    "lead: V2-V4, stent 3.5x18 mm, pump 1.5 units",
    "a group of 120 patients, lot of 100, sample of 250",
    "Patient: 45-year-old man, Case: 12-year-old girl",
    "growth plate 3 mm, plate 4, L4-L5, C5/6, T12",
    "HbA1c 7.2 %, eGFR 45, SpO2 98 %, GCS 15, INR 2.5",
    "lisinopril 10 mg, insulin 20 units, dose: 500 mg",
    "every Monday, two weeks ago, at night, in 2021, 89 years old, since age 45",
    "HLA-B27, CD4 350, IL-6, COVID-19, BRCA1 c.68_69delAG, p.Arg175His",
    "chart reviewed, policy of 100 days, record: normal",
    "trial of 14 days, order: 25 mg, visit 3 of 12",
    "sat 98 %, plate 4 holes, type A fracture, route PO 10 mg, lot of 100",
    "RE-LY and RE-ALIGN, a Ramadan fast in a boy of 1 year",  # trials, a fast without a date
    "OMIM 154700 in NCT04470427, see PMID 30000001, NM_000138.5, ICD-10 E11",
    "BRAF V600E, 46,XY, T2 N1 M0, C5-C6 at L4, 3 of 4 limbs",
]


@pytest.fixture(scope="module")
def recognizers() -> dict[str, object]:
    """Return the recognizers of recognizers.yaml by name."""
    return {recognizer.name: recognizer for recognizer in load_recognizers()}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FOUND.items() for text in texts])
def test_a_format_is_found(recognizers: dict, name: str, text: str) -> None:
    plain = text.replace("«", "").replace("»", "")
    start, end = text.index("«"), text.index("»") - 1
    covered = {
        place
        for result in recognizers[name].analyze(plain, recognizers[name].supported_entities, None)
        for place in range(result.start, result.end)
    }
    assert {place for place in range(start, end) if plain[place].isalnum()} <= covered


@pytest.mark.parametrize("text", CLINICAL)
def test_a_measurement_is_no_identifier(recognizers: dict, text: str) -> None:
    found = [
        (name, text[result.start : result.end])
        for name in FOUND.keys() - SHAPES
        for result in recognizers[name].analyze(text, recognizers[name].supported_entities, None)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("a 94-year-old woman", "94-year-old"),
        ("a 94 years old woman", "94 years old"),
        ("a woman of 94 years of age", "94 years of age"),
        ("a woman aged 94 years, with fever", "aged 94 years"),
        ("Aged 94, she lives alone", "Aged 94"),
        ("94 y/o F with fever", "94 y/o"),
        ("94yo woman", "94yo"),
        ("94 y.o. woman", "94 y.o."),
        ("She is 94 y.o. Her son is well", "94 y.o"),  # the dot ends the sentence
        ("Age: 94, lives alone", "94"),
        ("at the age of 94 years", "94 years"),
        ("she turned ninety in spring", "ninety"),
        ("a ninety-four-year-old woman", "ninety-four-year-old"),
        ("a ninety-four-year follow-up", "ninety-four"),
        ("a man aged ninety-one years with fever", "aged ninety-one years"),
    ],
)
def test_an_age_goes_as_a_phrase_without_its_noun(recognizers: dict, text: str, phrase: str) -> None:
    spans = {text[found.start : found.end] for found in recognizers["AgeRecognizer"].analyze(text, ["AGE"], None)}
    assert max(spans, key=len) == phrase


def test_every_class_of_safe_harbor_has_an_entity_and_a_recognizer(recognizers: dict) -> None:
    found = {entity for recognizer in recognizers.values() for entity in recognizer.supported_entities}
    assert set(ENTITIES) - {"NRP"} <= found


def test_the_check_digit_of_a_vehicle_number_counts() -> None:
    assert has_check_digit("1M8GDM9AXKP042788")
    assert not has_check_digit("1M8GDM9A1KP042788")


def test_a_hospital_adds_a_format_in_yaml(tmp_path: Path) -> None:
    pattern = r"patterns: [{name: x, regex: '\bkh\d-\d\b', score: 0.9}]"
    entry = f"  - {{name: ours, type: custom, supported_entity: MEDICAL_RECORD_NUMBER, {pattern}}}\n"
    path = tmp_path / "recognizers.yaml"
    path.write_text(CONFIGURATION.read_text(encoding="utf-8") + entry, encoding="utf-8")
    ours = {recognizer.name: recognizer for recognizer in load_recognizers(path)}["ours"]
    (found,) = ours.analyze("id KH4-7.", ["MEDICAL_RECORD_NUMBER"], None)
    assert (found.start, found.end) == (3, 8)


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (
            "{name: ours, type: custom, supported_entity: MRN, patterns: [{name: x, regex: 'a', score: 0.9}]}",
            "unknown entity 'MRN'",
        ),
        ("{name: NoSuchRecognizer, type: predefined}", "NoSuchRecognizer"),
        ("{name: ours, type: custom, supported_entity: ID}", "recognizers.yaml"),
        (
            "{name: ours, type: custom, supported_entity: ID, patterns: [{name: x, regex: '(', score: 0.9}]}",
            "recognizers.yaml",
        ),
    ],
)
def test_a_bad_entry_is_refused_in_one_line(tmp_path: Path, entry: str, error: str) -> None:
    path = tmp_path / "recognizers.yaml"
    path.write_text(f"supported_languages: [en]\nrecognizers:\n  - {entry}\n", encoding="utf-8")
    with pytest.raises(StageError, match=error) as caught:
        load_recognizers(path)
    assert "\n" not in str(caught.value)
