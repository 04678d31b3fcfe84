"""The base model as a trunk of transformer layers, mean-pooled, and the classifier that is trained on it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from stages.lib.stage import StageError, Strict, log, progress

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


WIDTH_STEP = 16


class Compute(Strict):
    """Where and how numbers are computed; every field may change the last digits of a result."""

    device: Literal["auto", "cpu", "cuda", "mps"]
    """Device; `auto` takes CUDA, then MPS, then the CPU."""
    precision: Literal["float32", "bfloat16"]
    """Type of matrix products; weights that train and sums stay float32."""
    threads: int = Field(ge=1, le=256)
    """CPU threads of torch."""
    batch_size: int = Field(ge=1, le=4096)
    """Notes per forward pass where nothing is trained."""


class ModelParams(Strict):
    """What is taken of the base model, and of a note."""

    layers: int | None = Field(ge=1, le=1000)
    """Number of first transformer layers to keep; null keeps all."""
    max_length: int = Field(ge=8, le=131072)
    """Longest note in tokens; the end of a longer one is cut off, and counted."""


@dataclass(frozen=True)
class Specification:
    """What a classifier needs beside its weights to be loaded again."""

    diagnoses: list[str]
    layers: int | None
    max_length: int


def start(compute: Compute) -> torch.device:
    """Set torch up for reproducible work, and return the device; raise StageError if it is not there."""
    import torch

    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name, is_there in there.items() if is_there) if compute.device == "auto" else compute.device
    if not there[name]:
        raise StageError(f"params.yaml: compute.device: '{name}': this machine has none; set auto or cpu")
    log.info("computing on %s in %s", name, compute.precision)
    return torch.device(name)


def load_tokenizer(base: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer, with a padding token and padding on the right."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="right")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise StageError(f"{base}: the tokenizer has no padding, end or unknown token; choose another base model")
    return tokenizer


def load_trunk(base: Path, *, layers: int | None) -> PreTrainedModel:
    """Load the first `layers` layers in float32, without the language-model head."""
    import warnings

    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft still asks by the old name

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    available = AutoConfig.from_pretrained(base).num_hidden_layers
    if layers and layers > available:
        raise StageError(f"params.yaml: model.layers: {layers}: the base model has {available} layers")
    trunk: PreTrainedModel = AutoModel.from_pretrained(base, num_hidden_layers=layers or available, dtype="float32")
    return trunk


def tokenize(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, max_length: int) -> list[list[int]]:
    """Return the token ids of each text, the ends of long ones cut off; log how many were cut."""
    encoded = [list(ids) for ids in tokenizer(list(texts), add_special_tokens=True)["input_ids"]]
    if cut := sum(len(ids) > max_length for ids in encoded):
        log.info("%d of %d notes are longer than model.max_length = %d tokens: cut", cut, len(encoded), max_length)
    return [ids[:max_length] or [tokenizer.pad_token_id] for ids in encoded]


def pad(tokens: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask` of shape (notes, longest), the longest rounded up.

    Few widths let the CPU's kernels be used again, and memory stays flat (benchmarks/train.py).
    """
    import torch

    width = math.ceil(max(map(len, tokens)) / WIDTH_STEP) * WIDTH_STEP
    ids = torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in tokens])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in tokens])
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}


def autocast(compute: Compute, device: torch.device) -> Any:
    """Return the context in which matrix products run in the configured precision."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=compute.precision == "bfloat16")


def pooled(trunk: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the last states averaged over each note's tokens: (notes, hidden), float32."""
    states = trunk(**batch).last_hidden_state.float()
    mask = batch["attention_mask"].unsqueeze(-1)
    mean: torch.Tensor = (states * mask).sum(1) / mask.sum(1)
    return mean


def embed(
    trunk: Any, tokens: Sequence[Sequence[int]], *, pad_id: int, compute: Compute, device: torch.device
) -> np.ndarray:
    """Return the frozen trunk's mean-pooled states, (notes, hidden), float32, in the order of `tokens`.

    Notes of like length share a batch, so that little is spent on padding.
    """
    import numpy as np
    import torch

    trunk.eval().to(device)
    if compute.precision == "bfloat16":  # what autocast would do to these weights at every batch
        for module in trunk.modules():
            if isinstance(module, torch.nn.Linear):
                module.to(torch.bfloat16)
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    states = np.zeros((len(tokens), trunk.config.hidden_size), dtype="float32")
    starts = range(0, len(order), compute.batch_size)
    with torch.inference_mode(), autocast(compute, device):
        for first in progress(starts, description="forward passes", total=len(starts)):
            rows = order[first : first + compute.batch_size]
            states[rows] = pooled(trunk, pad([tokens[row] for row in rows], pad_id, device)).cpu().numpy()
    return states


def save_classifier(trunk: Any, head: torch.nn.Linear, specification: Specification, adapter: Path) -> None:
    """Write LoRA weights, head and specification as safetensors and JSON."""
    from safetensors.torch import save_file

    trunk.save_pretrained(adapter)
    config = adapter / "adapter_config.json"  # peft writes sets, whose order changes from run to run
    settings = {key: sorted(value) if key == "target_modules" else value for key, value in _read(config).items()}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    save_file({name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()},
              adapter / "head.safetensors")  # fmt: skip
    (adapter / "classifier.json").write_text(json.dumps(asdict(specification), indent=2, ensure_ascii=False) + "\n")


def load_classifier(base: Path, adapter: Path) -> tuple[Any, torch.nn.Linear, Specification]:
    """Load trunk (LoRA merged in), head and specification as `save_classifier` wrote them."""
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file

    specification = Specification(**_read(adapter / "classifier.json"))
    trunk = load_trunk(base, layers=specification.layers)
    head = torch.nn.Linear(trunk.config.hidden_size, len(specification.diagnoses))
    head.load_state_dict(load_file(adapter / "head.safetensors"))
    return PeftModel.from_pretrained(trunk, str(adapter)).merge_and_unload(), head, specification


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
