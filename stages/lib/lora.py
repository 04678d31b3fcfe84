"""Low-rank adaptation: a frozen model in, the same with trainable updates of its linear layers out."""

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


def adapted(network: Any, lora: LoraParams, *, name: str) -> Any:
    """Return the model under LoRA; `name` is what its configuration will call the base model."""
    import warnings

    from peft import LoraConfig, get_peft_model

    warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")  # peft turns GPT-2's layers by itself
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=_targets(network, lora.layers)
    )
    network = get_peft_model(network, config)
    network.peft_config["default"].base_model_name_or_path = name
    return network


def _targets(network: Any, layers: int | None) -> str | list[str]:
    """Name the linear layers that LoRA goes to: all but the output head, or those of the last `layers` layers."""
    import torch
    from transformers.pytorch_utils import Conv1D

    kept = network.config.get_text_config().num_hidden_layers
    if layers is None:
        return "all-linear"
    if layers > kept:
        raise StageError(f"params.yaml: train.lora.layers: {layers}: only {kept} layers of the base model are kept")
    modules = dict(network.named_modules())
    lists = [name for name, found in modules.items() if isinstance(found, torch.nn.ModuleList) and len(found) == kept]
    stack = [name for name in lists if not re.search(r"\.\d+\.", name)][-1]  # not a layer's experts, nor image layers
    upper = tuple(f"{stack}.{index}." for index in range(kept - layers, kept))
    linear = (torch.nn.Linear, Conv1D)
    return [name for name, found in modules.items() if isinstance(found, linear) and name.startswith(upper)]
