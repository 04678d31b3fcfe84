"""The report loads nothing, shows no patient's text, says the same in both its forms, and only what was measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from read_page import Reader, markdown_tables
from toy_report import (
    DIAGNOSES,
    DOCUMENTS,
    MODELS,
    PLANTED,
    comparisons,
    explanations,
    intervals,
    make_report,
    predictions,
    tables,
)

from stages.lib.report.page import plain
from stages.lib.report.performance import HEADLINE, tone, verdict
from stages.lib.report.plots import COLOURS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report."""
    return make_report(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="module")
def page(made: Path) -> Reader:
    return Reader((made / "report.html").read_text())


def every_text(made: Path) -> str:
    """Return all that a run has written, as one text."""
    files = [*made.rglob("*.html"), *made.rglob("*.md"), made.parent / "README.md"]
    return "\n".join(path.read_text() for path in files)


def test_every_folded_table_says_what_it_is(made: Path) -> None:
    titles = re.findall(r"<summary>(.*?)</summary>", (made / "report.html").read_text())
    assert len(titles) > 3
    assert all(titles)


def test_the_page_is_well_formed_and_no_id_occurs_twice(page: Reader) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert {link[1:] for link in links if link and link[0] == "#"} <= set(ids)


def test_the_page_loads_nothing_and_tells_browsers_so(made: Path, page: Reader) -> None:
    tags = {tag for tag, _ in page.elements}
    assert tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"} == set()
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "data", "background", "ping"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        if tag != "a":
            targets = [value or "" for name, value in attributes.items() if name.endswith("href")]
            assert all(target.startswith("#") for target in targets), tag
    text = (made / "report.html").read_text()
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", text))
    policies = [attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


def test_every_number_of_the_headline_is_that_of_the_intervals(page: Reader) -> None:
    header, *rows = page.tables[0]
    assert header == ["model", *(column.name for column in HEADLINE)]
    found = intervals().round(4).set_index(["model", "metric"])
    assert len(rows) == len(MODELS)
    for name, row in zip(["tuned", "tfidf", "zero_shot", "majority", "ceiling"], rows, strict=True):
        for column, cell in zip(HEADLINE, row[1:], strict=True):
            value, low, high = found.loc[(name, column.metric), ["value", "low", "high"]].tolist()
            bounds = [] if low != low else [low, high]
            expected = [f"{column.scale * number:.{column.digits}f}" for number in (value, *bounds)]
            assert re.findall(r"[\d.]+", cell) == expected
    assert rows[2][0] == "untuned LLM, zero-shot, 10 cases"


def test_text_is_shown_of_simulated_patients_alone(made: Path) -> None:
    text = every_text(made)
    assert "coughs" in text
    assert PLANTED not in text
    assert "files-00" in text  # its mistake is told, by id


def test_no_text_is_shown_where_no_patient_is_simulated(tmp_path: Path) -> None:
    table = predictions().assign(source="files")
    text = every_text(make_report(tmp_path / "run", predictions=table))
    assert "coughs" not in text
    assert PLANTED not in text
    assert "## Examples" not in text


def test_markdown_says_in_short_what_the_page_says(made: Path, page: Reader) -> None:
    text = (made / "report.md").read_text()
    shown = [[[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in rows] for rows in page.tables]
    bracketed = [[[_bracketed(cell) for cell in row] for row in rows] for rows in shown]
    short = markdown_tables(text)
    assert len(short) > 10
    assert [table for table in short if table not in bracketed] == []
    words = " ".join(" ".join(page.words).replace("\xa0", " ").split())
    assert plain(verdict(comparisons(gain=0.05))) in words
    assert plain(verdict(comparisons(gain=0.05))) in text
    plots = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert sorted(plots) == sorted(path.name for path in made.glob("*.png"))
    assert len(plots) == [tag for tag, _ in page.elements].count("svg")


def _bracketed(cell: str) -> str:
    """Return a cell as Markdown has it: the page puts the brackets of an interval by its style."""
    cell = cell.replace("\xa0", " ")
    found = re.fullmatch(r"(\S+(?: %)?) ([+-]?[\d.,]+, [+-]?[\d.,]+)", cell)
    return f"{found[1]} [{found[2]}]" if found else cell


def test_the_same_inputs_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = make_report(tmp_path / "run")
    files = sorted(path.relative_to(made) for path in made.rglob("*"))
    assert files == sorted(path.relative_to(again) for path in again.rglob("*"))
    for name in files:
        assert (made / name).read_bytes() == (again / name).read_bytes(), name
    assert (made.parent / "README.md").read_bytes() == (again.parent / "README.md").read_bytes()


NONE: dict[str, dict[str, Any]] = {
    "subgroups": {"subgroups": tables()["subgroups"].head(0)},
    "decision curve": {"decision_curve": tables()["decision_curve"].head(0)},
    "examples": {"explanations": []},
    "robustness": {"perturbations": tables()["perturbations"].tail(1)},
    "ceiling": {
        "intervals": intervals(MODELS[:-1]),
        "comparisons": comparisons(gain=0.05, models=MODELS[:-1]),
        "roc": tables()["roc"].drop(columns="ceiling"),
        "evaluation": {key: value for key, value in DOCUMENTS["evaluation"].items() if key != "models_above_ceiling"},
    },
    "threshold": {
        "calibration": DOCUMENTS["calibration"]
        | {"abstention": {"target_risk": 0.1, "certainty": 0.9, "threshold": None}},
        "intervals": intervals().query("metric != 'selective_risk'"),
    },
    "mistakes": {"predictions": predictions().assign(tuned=lambda table: table["gold"])},
}


@pytest.mark.parametrize("what", NONE)
def test_what_a_run_does_not_have_is_left_out(tmp_path: Path, what: str) -> None:
    made = make_report(tmp_path / "run", **NONE[what])
    text = every_text(made)
    Reader((made / "report.html").read_text())
    assert "nan" not in re.findall(r"\w+", text)
    assert "\N{EN DASH} %" not in text
    gone = {
        "subgroups": "Subgroups",
        "decision curve": "Usefulness",
        "examples": "## Examples",
        "robustness": "## Robustness",
        "ceiling": "ceiling, given the findings",
        "threshold": "The model answers where",
        "mistakes": "Most confident mistakes",
    }
    assert gone[what] not in text


def test_data_are_never_read_as_marks(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> | **x** [y](https://example.org)"
    table = predictions().replace(DIAGNOSES[0], hostile)
    table["record_id"] = table["record_id"].replace("hpo-01", "hpo-01<img src=x>")
    told = [explanations()[0] | {"record_id": "hpo-01<img src=x>", "gold": hostile}]
    made = make_report(tmp_path / "run", predictions=table, explanations=told)
    page = Reader((made / "report.html").read_text())
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert "https://example.org" not in [attributes.get("href") for _, attributes in page.elements]
    assert any(hostile in " ".join(row) for rows in page.tables for row in rows)
    markdown = (made / "report.md").read_text()
    assert "<script" not in markdown.replace("\\<", "")
    assert "](https://example.org)" not in markdown


@pytest.mark.parametrize(
    ("gain", "found", "said"), [(0.05, "better", "beats"), (-0.05, "worse", "loses to"), (0, "same", "does not beat")]
)
def test_the_verdict_follows_the_interval(gain: float, found: str, said: str) -> None:
    table = comparisons(gain=gain)
    assert tone(table) == found
    assert plain(verdict(table)).startswith(f"The tuned LLM {said} TF-IDF + logistic regression: {100 * gain:+.1f} ")


def test_an_expectation_that_is_not_met_stands_in_the_short_form(made: Path) -> None:
    assert "| class balance | warning | **no** |" in (made / "report.md").read_text()


def test_plots_take_their_colours_from_the_page_in_light_and_dark(made: Path) -> None:
    text = (made / "report.html").read_text()
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert re.findall(r"#[0-9a-f]{6}\b", svg) == []
    light, dark = text.partition("prefers-color-scheme: dark")[::2]
    for name, code in COLOURS.items():
        assert f"--{name}: {code};" in light
        assert re.search(rf"--{name}: #[0-9a-f]{{6}};", dark)
    assert "@media screen and (prefers-color-scheme: dark)" in text  # so that paper stays white


def test_nothing_tells_of_a_clock_or_a_machine(made: Path) -> None:
    assert re.findall(r"\b\d{4}-\d\d-\d\d\b|\b\d\d:\d\d:\d\d\b|/home/|/tmp/", every_text(made)) == []


def test_a_diagnosis_may_look_like_a_missing_value(tmp_path: Path) -> None:
    made = make_report(tmp_path / "run", predictions=predictions().replace(DIAGNOSES[0], "NA"))
    assert "| NA |" in (made / "report.md").read_text()
