"""The TRIPOD-LLM checklist and the model card: every item has its state, metadata are the hub's, links lead on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from read_page import markdown_tables
from toy_report import DOCUMENTS, METRICS, PROVENANCE, make_report

from stages.lib.report.checklist import ITEMS

ROOT = Path(__file__).parent.parent
NUMBERS = str.split(
    "1 2 3a 3b 4 5a 5b 5c 5d 5e 6a 6b 6c 6d 6e 7a 7b 7c 7d 7e 8a 8b 8c 9a 9b 10 11 12 13 "
    "14a 14b 14c 14d 14e 14f 15 16a 16b 16c 16d 17 18 19a 19b 19c 19d 19e 19f 19g"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report on simulated and other patients."""
    return make_report(tmp_path_factory.mktemp("report") / "run")


def states(made: Path) -> dict[str, str]:
    rows = [row for table in markdown_tables((made / "tripod_llm.md").read_text()) for row in table[1:]]
    return {row[0]: row[3] for row in rows if row[0]}


def test_the_checklist_has_every_item_of_tripod_llm_once_and_in_order(made: Path) -> None:
    items = [item for section in yaml.safe_load(ITEMS.read_text()).values() for item in section]
    assert [item["item"] for item in items if "item" in item] == NUMBERS
    assert list(states(made)) == NUMBERS
    assert set(states(made).values()) == {"filled", "in part", "yours", "does not apply"}


def test_what_only_owners_know_of_real_patients_is_theirs_to_write(made: Path, tmp_path: Path) -> None:
    of_simulated = make_report(
        tmp_path / "run", acquisition=DOCUMENTS["acquisition"] | {"records_by_source": {"hpo": 130}}
    )
    assert (states(made)["13"], states(of_simulated)["13"]) == ("yours", "does not apply")
    assert (states(made)["14a"], states(of_simulated)["14a"]) == ("yours", "yours")


def test_links_of_the_checklist_lead_to_sections_and_files_that_are_there(made: Path) -> None:
    text = (made / "tripod_llm.md").read_text()
    report = (made / "report.md").read_text()
    titles = {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in re.findall(r"^## (.*)", report, re.M)}
    targets = set(re.findall(r"\]\(([^)]*)\)", text))
    assert {target.partition("#")[2] for target in targets if target.startswith("report.md")} <= titles
    files = [target.removeprefix("../../") for target in targets if target.startswith("../../")]
    assert [name for name in files if name != "models/README.md" and not (ROOT / name).exists()] == []


def test_the_card_has_the_metadata_of_the_hub(made: Path) -> None:
    card = ModelCard.load(made.parent / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert (found["accuracy"], found["f1"]) == (METRICS["accuracy"], METRICS["macro_f1"])
    assert {result.dataset_split for result in card.data.eval_results} == {"test"}
    for heading in ("Intended use", "Limits", "Licences", "How to load it"):
        assert f"\n## {heading}\n" in card.text


def test_a_licence_that_the_hub_does_not_know_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVENANCE, "base_model", {"path": "own", "sha256": "a" * 64, "licence": "of the house"})
    data = ModelCard.load(make_report(tmp_path / "run").parent / "README.md").data
    assert (data.license, data.license_name, data.base_model) == ("other", "of the house", None)


def test_the_card_loads_a_model_by_functions_that_are_there(made: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (made.parent / "README.md").read_text(), re.S)
    assert code
    imports = "\n".join(line for line in code[1].splitlines() if re.match(r"(from|import) ", line))
    exec(imports, {})
