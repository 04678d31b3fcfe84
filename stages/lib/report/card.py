"""The model card, as the Hugging Face hub reads it: results in, Markdown with metadata out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.lib.report.checklist import base_name
from stages.lib.report.markdown import tabulated, words
from stages.lib.report.performance import HEADLINE, headline, verdict
from stages.lib.report.results import Results

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

HUB_LICENCES = {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "gpl-3.0", "llama3.2"}
HUB_METRICS = {"macro_f1": "f1", "macro_auc_roc": "roc_auc"}  # names of the hub's own
LOAD = """```python
from pathlib import Path

import torch
from scipy.special import softmax

from stages.lib.adapter import load_learner
from stages.lib.calibration import read_calibration
from stages.lib.model import Compute

compute = Compute(device="cpu", precision="float32", threads=2, batch_size=32)
learner, specification = load_learner(
    Path("models/base"), Path("models/adapter"), compute=compute, device=torch.device("cpu")
)
probabilities = softmax(learner.scores(learner.encode(["A de-identified note."])), axis=1)
probabilities = read_calibration(Path("models/calibration.json")).apply(probabilities)
print(dict(zip(specification.diagnoses, probabilities[0].round(3))))
```"""


def card(results: Results) -> str:
    """Return the card with its metadata; nothing is asked of the hub."""
    from huggingface_hub import ModelCard, ModelCardData

    origin = results.provenance["base_model"]
    licence = str(origin.get("licence", "unknown"))
    known = licence.lower() in HUB_LICENCES
    data = ModelCardData(
        base_model=origin.get("hub"),
        eval_results=evaluations(results),
        language="en",
        library_name="peft" if results.provenance["params"]["train"].get("lora") else "transformers",
        license=licence.lower() if known else "other",
        license_name=None if known else licence,
        model_name="differential",
        pipeline_tag="text-classification",
        tags=["differential-diagnosis", "clinical-text", "calibrated"],
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body(results)}\n").content)


def evaluations(results: Results) -> list[EvalResult]:
    """Return the tuned model's headline metrics on the test split."""
    from huggingface_hub import EvalResult

    tuned, data = results.measured("tuned"), results.croissant
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type=data["name"],
            dataset_name=data["name"],
            dataset_split="test",
            dataset_revision=data["version"],
            metric_type=HUB_METRICS.get(column.metric, column.metric),
            metric_name=column.name.removesuffix(" %"),
            metric_value=tuned[column.metric]["value"],
        )
        for column in HEADLINE
        if column.metric in tuned
    ]


def body(results: Results) -> str:
    """Return the card's text."""
    origin, described = results.provenance["base_model"], results.croissant
    refusing = results.calibration["abstention"]["threshold"]
    whom = (
        "It has seen simulated patients alone: nothing here tells how it does on real ones."
        if results.simulated()
        else "It has seen the patients of its sources alone; elsewhere it has to be measured first."
    )
    licences = [f"- Base model, {base_name(origin)}: {origin.get('licence', 'unknown')}"]
    licences += [f"- Data: {licence}" for licence in described["license"]]
    objective = results.provenance["params"]["train"]["objective"]
    sections = {
        "What it is": f"A model that ranks {results.evaluation['diagnoses']} diagnoses for a de-identified clinical "
        "note in English: a base model, an adapter (models/adapter) and a calibration (models/calibration.json), which "
        f"belong together. Fine-tuned from {base_name(origin)} to `{objective}`.",
        "Intended use": "Research on differential diagnosis, and decision support that a clinician checks. It gives a "
        "ranked differential with calibrated probabilities and a set of diagnoses"
        + (", and leaves a case to the clinician where it is not confident." if refusing is not None else "."),
        "Limits": f"- No medical device; not for deciding on a patient's care without a clinician.\n- {whom}\n"
        "- It knows the diagnoses of its list and no other: a patient with another one gets a wrong answer.\n"
        "- It reads the text alone, in English, after de-identification, up to its longest input.\n"
        "- How cases were chosen sets how often it expects a diagnosis, not the prevalence where it is used.",
        "Results": f"{words(verdict(results.comparisons))}\n\n{tabulated(headline(results.intervals))}\n\n"
        f"On the test split of {described['name']} {described['version']}; brackets hold intervals. More in the "
        "[report](../metrics/report/report.md), by subgroup, under changed notes and with what was left of PHI.",
        "Data": f"{described['name']} {described['version']}, told in [data/datasheet.md](../data/datasheet.md). "
        f"Cite: {described['citeAs']}.",
        "Licences": "\n".join(licences)
        + "\n\nWhoever passes the model on is bound by all of these; an unknown licence "
        "allows nothing.",
        "How to load it": f"From the root of the repository, after `dvc pull` or `dvc repro`:\n\n{LOAD}",
        "Lineage": f"Trained on {_hashes(results.provenance)}; versions: "
        + ", ".join(f"{name} {version}" for name, version in results.provenance["versions"].items())
        + ". All parameters stand in models/adapter/provenance.json.",
    }
    return "\n\n".join(["# Differential", *(f"## {title}\n\n{text}" for title, text in sections.items())])


def _hashes(provenance: Any) -> str:
    return ", ".join(f"`{name}` (md5 {entry['md5']})" for name, entry in provenance["inputs"].items())
