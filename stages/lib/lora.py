"""Low-rank adaptation: a frozen model in, the same with trainable updates of its layers out."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from stages.lib.stage import StageError, Strict


class LoraParams(Strict):
    """Low-rank adaptation of linear layers (Hu et al. 2022, LoRA)."""

    rank: int = Field(ge=1, le=1024)
    """Rank of each update."""
    alpha: int = Field(ge=1, le=4096)
    """Scale of the update, divided by the rank."""
    dropout: float = Field(ge=0, lt=1)
    """Dropout before the update, as a share."""
    layers: int | None = Field(ge=1, le=1000)
    """Number of last layers, of those kept, whose linear layers get an update; null: all."""
    embeddings: bool
    """Update the embeddings of words too, so that each word has a few weights of its own, as in a bag of words.

    Under `classify` alone: for `generate` many decoders write by the embeddings that they read by.
    """


def adapted(network: Any, lora: LoraParams, *, name: str, precision: str) -> Any:
    """Return the model under LoRA; `name` is what its configuration will call the base model.

    In bfloat16 autocast says in what type products run: peft's own cast, to float32 and so back again, is turned off.
    """
    import warnings

    from peft import LoraConfig, get_peft_model

    warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")  # peft turns GPT-2's layers by itself
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=_targets(network, lora)
    )
    network = get_peft_model(network, config)
    network.peft_config["default"].base_model_name_or_path = name
    for module in network.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = precision == "float32"
    return network


def _targets(network: Any, lora: LoraParams) -> str | list[str]:
    """Name what LoRA goes to: linear layers, but the output head, all or of the last layers; and the embeddings."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = network.get_output_embeddings() if hasattr(network, "get_output_embeddings") else None
    words = network.get_input_embeddings() if lora.embeddings and head is None else None
    if lora.layers is None and words is None:
        return "all-linear"
    modules = dict(network.named_modules())
    above = _upper(network, modules, lora.layers) if lora.layers else ("",)
    linear = (torch.nn.Linear, Conv1D)
    found = [
        name
        for name, module in modules.items()
        if isinstance(module, linear) and module is not head and name.startswith(above)
    ]
    return found + [name for name, module in modules.items() if module is words]


def _upper(network: Any, modules: dict[str, Any], layers: int) -> tuple[str, ...]:
    """Return how the names of all modules in the last `layers` layers begin."""
    import torch

    kept = network.config.get_text_config().num_hidden_layers
    if layers > kept:
        raise StageError(f"params.yaml: train.lora.layers: {layers}: only {kept} layers of the base model are kept")
    lists = [name for name, found in modules.items() if isinstance(found, torch.nn.ModuleList) and len(found) == kept]
    stack = [name for name in lists if not re.search(r"\.\d+\.", name)][-1]  # not a layer's experts, nor image layers
    return tuple(f"{stack}.{index}." for index in range(kept - layers, kept))
