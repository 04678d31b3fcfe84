"""The adapter: a base model and what is trained on it, made fresh, written to a folder and loaded from one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.lib.classifier import Classifier, make_head
from stages.lib.generator import Generator, make_generator
from stages.lib.lineage import read_origin
from stages.lib.lora import LoraParams, adapted
from stages.lib.memory import require_memory
from stages.lib.model import (
    Compute,
    ModelParams,
    cast,
    load_language_model,
    load_tokenizer,
    load_trunk,
    longest_input,
    quantised,
)
from stages.lib.stage import StageError, Strict

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHAT_TEMPLATE = "chat_template.jinja"  # of the tokenizer, as `generate` was trained with it

Learner = Classifier | Generator


class Specification(Strict):
    """What an adapter needs beside its weights to be loaded again."""

    objective: Literal["classify", "generate"]
    """What the model was trained for."""
    diagnoses: list[str]
    """The label set, in the order of the columns of scores."""
    model: ModelParams
    """The part of the base model, and the prompt."""


def make_learner(
    specification: Specification,
    base: Path,
    *,
    lora: LoraParams | None,
    compute: Compute,
    device: torch.device,
    gradient_checkpointing: bool = False,
) -> Learner:
    """Return a model with fresh LoRA weights, which change nothing yet, or, with `lora` null, to be trained as a whole.

    A head's first predictions are uniform. Raise StageError where the model and what is asked of it do not fit.
    """
    if specification.model.quantisation and not lora:
        raise StageError(
            "params.yaml: train.lora: null: quantised weights cannot train; set model.quantisation to null"
        )
    require_memory(base, specification.model, compute=compute, device=device, full=lora is None)
    network = _base_model(specification, base, device=device)
    if lora:
        name = read_origin(base).get("hub", base.name)
        network = adapted(network, lora, name=name, precision=compute.precision)
    if gradient_checkpointing:
        if not network.supports_gradient_checkpointing:
            kind = network.config.model_type
            raise StageError(f"params.yaml: train.gradient_checkpointing: true: {kind} models have none; set false")
        network.activation_checkpointing_enable()
        network.disable_input_require_grads()  # only reentrant checkpoints need it; frozen layers need no gradient
    return _assemble(network, load_tokenizer(base), specification, compute=compute, device=device)


def save_adapter(learner: Learner, specification: Specification, adapter: Path) -> None:
    """Write LoRA or all weights, the head, chat template and specification, as safetensors and plain text."""
    from peft import PeftModel
    from safetensors.torch import save_file

    if isinstance(learner.network, PeftModel):
        learner.network.save_pretrained(str(adapter), save_embedding_layers=False)
        (adapter / "README.md").unlink(missing_ok=True)  # a model card to fill in, with the base model's folder in it
        config = adapter / "adapter_config.json"  # peft writes sets, whose order changes from run to run
        settings = {key: sorted(value) if key == "target_modules" else value for key, value in _read(config).items()}
        config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    else:
        learner.network.save_pretrained(adapter)
    if isinstance(learner, Classifier):
        weights = {name: value.detach().cpu().contiguous() for name, value in learner.head.state_dict().items()}
        save_file(weights, adapter / "head.safetensors")
    elif learner.tokenizer.chat_template:
        (adapter / CHAT_TEMPLATE).write_bytes(learner.tokenizer.get_chat_template().encode())
    content = json.dumps(specification.model_dump(), indent=2, ensure_ascii=False)
    (adapter / "specification.json").write_text(f"{content}\n", encoding="utf-8")


def load_learner(base: Path, adapter: Path, *, compute: Compute, device: torch.device) -> tuple[Learner, Specification]:
    """Load for inference what `save_adapter` wrote, LoRA merged in, but for quantised weights, which would round it."""
    import warnings

    from peft import PeftModel
    from safetensors.torch import load_file

    warnings.filterwarnings("ignore", message="Model with `tie_word_embeddings")  # a trunk has no head to share them

    specification = Specification.model_validate(_read(adapter / "specification.json"))
    updates = (adapter / "adapter_model.safetensors").exists()
    source = base if updates else adapter
    require_memory(source, specification.model, compute=compute, device=device, full=False)
    network = _base_model(specification, source, device=device)
    if updates:
        network = PeftModel.from_pretrained(network, str(adapter))
        network = network if specification.model.quantisation else network.merge_and_unload()
    network.eval().requires_grad_(False)
    tokenizer = load_tokenizer(base)
    template = adapter / CHAT_TEMPLATE
    tokenizer.chat_template = template.read_bytes().decode() if template.exists() else None
    learner = _assemble(network, tokenizer, specification, compute=compute, device=device)
    if isinstance(learner, Classifier):
        learner.head.load_state_dict(load_file(adapter / "head.safetensors"))
    return learner, specification


def _base_model(specification: Specification, folder: Path, *, device: torch.device) -> Any:
    model = specification.model
    options = quantised(model.quantisation, device)
    if specification.objective == "generate":
        return load_language_model(folder, layers=model.layers, key="train.objective: generate", **options)
    return load_trunk(folder, layers=model.layers, **options)


def _assemble(
    network: Any,
    tokenizer: PreTrainedTokenizerBase,
    specification: Specification,
    *,
    compute: Compute,
    device: torch.device,
) -> Learner:
    """Return the learner, its frozen weights in the configured precision on the device; until then all is float32."""
    model, diagnoses, there = specification.model, specification.diagnoses, network.device
    if tokenizer.pad_token_id >= len(network.get_input_embeddings().weight):
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token  # padding is masked: any token will do
    if specification.objective == "generate":
        if not tokenizer.is_fast:
            raise StageError(
                "params.yaml: train.objective: generate: the tokenizer of the base model has no tokenizer.json, "
                "which cutting a note needs; set classify"
            )
        generator = make_generator(network, tokenizer, diagnoses=diagnoses, model=model, compute=compute, device=there)
        return replace(generator, network=cast(network, compute).to(device), device=device)
    if model.max_length > (limit := longest_input(network, tokenizer)):
        raise StageError(f"params.yaml: model.max_length: {model.max_length}: the base model reads {limit} tokens")
    head = make_head(network.config.get_text_config().hidden_size, len(diagnoses), device)
    return Classifier(cast(network, compute).to(device), head, tokenizer, model, compute, device)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
