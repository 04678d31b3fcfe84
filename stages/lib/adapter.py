"""The adapter: a base model and what is trained on it, made fresh, written to a folder and loaded from one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stages.lib.classifier import Classifier
from stages.lib.generator import Generator, make_generator
from stages.lib.model import (
    Compute,
    ModelParams,
    freeze,
    load_language_model,
    load_tokenizer,
    load_trunk,
    longest_input,
)
from stages.lib.stage import StageError, Strict

if TYPE_CHECKING:
    import torch

Learner = Classifier | Generator


class LoraParams(Strict):
    """Low-rank adaptation of all linear layers (Hu et al. 2022, LoRA)."""

    rank: int = Field(ge=1, le=1024)
    """Rank of each update."""
    alpha: int = Field(ge=1, le=4096)
    """Scale of the update, divided by the rank."""
    dropout: float = Field(ge=0, lt=1)
    """Dropout before the update, as a share."""


class Specification(Strict):
    """What an adapter needs beside its weights to be loaded again."""

    objective: Literal["classify", "generate"]
    """What the model was trained for."""
    diagnoses: list[str]
    """The label set, in the order of the columns of scores."""
    model: ModelParams
    """The part of the base model, and the prompt."""


def make_learner(
    specification: Specification, base: Path, *, lora: LoraParams, compute: Compute, device: torch.device
) -> Learner:
    """Return a model with fresh LoRA weights, which change nothing yet; a head's first predictions are uniform."""
    import warnings

    import torch
    from peft import LoraConfig, get_peft_model

    warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")  # peft turns GPT-2's layers by itself
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear")
    network = get_peft_model(_base_model(specification, base), config)
    learner = _assemble(network, specification, base, compute=compute, device=device)
    if isinstance(learner, Classifier):
        torch.nn.init.zeros_(learner.head.weight)
        torch.nn.init.zeros_(learner.head.bias)
    return learner


def save_adapter(learner: Learner, specification: Specification, adapter: Path) -> None:
    """Write LoRA weights, the head if there is one, and the specification as safetensors and JSON."""
    from safetensors.torch import save_file

    learner.network.save_pretrained(adapter, save_embedding_layers=False)
    config = adapter / "adapter_config.json"  # peft writes sets, whose order changes from run to run
    settings = {key: sorted(value) if key == "target_modules" else value for key, value in _read(config).items()}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    if isinstance(learner, Classifier):
        weights = {name: value.detach().cpu().contiguous() for name, value in learner.head.state_dict().items()}
        save_file(weights, adapter / "head.safetensors")
    content = json.dumps(specification.model_dump(), indent=2, ensure_ascii=False)
    (adapter / "specification.json").write_text(f"{content}\n", encoding="utf-8")


def load_learner(base: Path, adapter: Path, *, compute: Compute, device: torch.device) -> tuple[Learner, Specification]:
    """Load for inference, LoRA merged in, what `save_adapter` wrote."""
    from peft import PeftModel
    from safetensors.torch import load_file

    specification = Specification.model_validate(_read(adapter / "specification.json"))
    network = PeftModel.from_pretrained(_base_model(specification, base), str(adapter)).merge_and_unload()
    learner = _assemble(network, specification, base, compute=compute, device=device)
    if isinstance(learner, Classifier):
        learner.head.load_state_dict(load_file(adapter / "head.safetensors"))
    freeze(network, compute, device)
    return learner, specification


def _base_model(specification: Specification, base: Path) -> Any:
    if specification.objective == "generate":
        return load_language_model(base, layers=specification.model.layers, key="train.objective: generate")
    return load_trunk(base, layers=specification.model.layers)


def _assemble(
    network: Any, specification: Specification, base: Path, *, compute: Compute, device: torch.device
) -> Learner:
    import torch

    tokenizer, model = load_tokenizer(base), specification.model
    network = network.to(device)
    if specification.objective == "generate":
        return make_generator(
            network, tokenizer, diagnoses=specification.diagnoses, model=model, compute=compute, device=device
        )
    if model.max_length > (limit := longest_input(network, tokenizer)):
        raise StageError(f"params.yaml: model.max_length: {model.max_length}: the base model reads {limit} tokens")
    head = torch.nn.Linear(network.config.get_text_config().hidden_size, len(specification.diagnoses))
    return Classifier(network, head.to(device), tokenizer, model, compute, device)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
