"""The base model and its tokenizer, loaded for work that can be repeated."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from stages.lib.stage import StageError, Strict, log

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


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


def _with_note(text: str) -> str:
    if text.count("{note}") != 1:
        raise ValueError("must have {note} once, where the note goes")
    return text


Prompt = Annotated[str, AfterValidator(_with_note)]


class ModelParams(Strict):
    """What is taken of the base model, and of a note."""

    layers: int | None = Field(ge=1, le=1000)
    """Number of first transformer layers to keep; null keeps all."""
    max_length: int = Field(ge=8, le=131072)
    """Longest note in tokens; a longer one is cut, and counted."""
    keep: Literal["start", "end"]
    """The side of a longer note that is kept."""
    prompt: Prompt
    """What a language model is asked, for the objective generate; {note} stands for the note."""
    quantisation: Literal[4, 8] | None
    """Bits of the frozen weights under LoRA (4: NF4, 8: LLM.int8(), by bitsandbytes); null leaves them as they are."""


def start(compute: Compute) -> torch.device:
    """Set torch up for reproducible work, and return the device; raise StageError where it or its type is missing."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS is not deterministic, and torch refuses it
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # warns when imported, and at every product of 8 bits
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(True)
    # Nothing reads memory before it writes there, and filling it costs a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    name = next(name for name, is_there in there.items() if is_there) if compute.device == "auto" else compute.device
    if not there[name]:
        raise StageError(f"params.yaml: compute.device: '{name}': this machine has none; set auto or cpu")
    if (
        name == "cuda"
        and compute.precision == "bfloat16"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        raise StageError("params.yaml: compute.precision: 'bfloat16': this GPU has none; set float32")
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


def load_trunk(base: Path, *, layers: int | None, **options: Any) -> Any:
    """Load the first `layers` layers in float32, without the language-model head; `options` come from `quantised`."""
    from transformers import AutoModel

    trunk = _load(AutoModel, base, layers=layers, **options)
    if getattr(trunk, "pooler", None) is not None:  # BERT's, which mean pooling has no use for
        trunk.pooler = None
    trunk.config.get_text_config().use_cache = False  # of keys and values, which are for text that is generated
    return trunk


def load_language_model(base: Path, *, layers: int | None, key: str, **options: Any) -> Any:
    """Load the first `layers` layers in float32 under the language-model head; `options` come from `quantised`.

    Raise StageError, naming the parameter `key`, where the base model is no decoder.
    """
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.models.auto import modeling_auto as known

    kind = AutoConfig.from_pretrained(base).model_type
    # BERT is among the causal models too, for a use that its published weights were not trained for
    if kind not in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise StageError(f"params.yaml: {key}: the base model ({kind}) is an encoder, which cannot generate")
    return _load(AutoModelForCausalLM, base, layers=layers, **options)


def quantised(bits: Literal[4, 8] | None, device: torch.device) -> dict[str, Any]:
    """Return what to load a model with for linear layers of so many bits on the device; nothing for null.

    Raise StageError where the device cannot, or bitsandbytes is missing. 4: NF4, its scales quantised too (Dettmers et
    al. 2023, QLoRA); 8: LLM.int8() (Dettmers et al. 2022), which also rounds what enters a layer.
    """
    if bits is None:
        return {}
    where = f"params.yaml: model.quantisation: {bits}"
    if device.type not in {"cpu", "cuda"}:
        raise StageError(f"{where}: not on {device.type}; set null, or compute.device to cuda or cpu")
    if find_spec("bitsandbytes") is None:
        raise StageError(f"{where}: needs the extra `gpu`: pip install 'bitsandbytes>=0.50'; or set null")
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=bits == 4,
        load_in_8bit=bits == 8,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    return {"quantization_config": config, "device_map": {"": device}}


def longest_input(network: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the most tokens that the model takes at once."""
    limit: int = getattr(network.config.get_text_config(), "max_position_embeddings", tokenizer.model_max_length)
    return min(limit, tokenizer.model_max_length)


def autocast(compute: Compute, device: torch.device) -> Any:
    """Return the context in which matrix products run in the configured precision."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=compute.precision == "bfloat16")


def freeze(network: Any, compute: Compute, device: torch.device) -> Any:
    """Return the model for inference on the device, in the configured precision."""
    network.eval().requires_grad_(False)
    return cast(network, compute).to(device)


def cast(network: Any, compute: Compute) -> Any:
    """Cast frozen linear layers once and not, as autocast would, in every pass: the same numbers in half the memory."""
    import torch

    for module in network.modules() if compute.precision == "bfloat16" else []:
        if hasattr(module, "compute_dtype"):  # of a quantised layer's products
            module.compute_dtype = torch.bfloat16
        if isinstance(module, torch.nn.Linear):  # new weights, for a head may share those of the embeddings
            for name, weight in list(module.named_parameters(recurse=False)):
                if weight.dtype == torch.float32 and not weight.requires_grad:
                    setattr(module, name, torch.nn.Parameter(weight.detach().to(torch.bfloat16), requires_grad=False))
    return network


def _load(auto: Any, base: Path, *, layers: int | None, **options: Any) -> Any:
    import warnings

    from transformers import AutoConfig
    from transformers.utils import logging as chatter

    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft still asks by the old name
    chatter.set_verbosity_error()  # type: ignore[no-untyped-call]
    chatter.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = AutoConfig.from_pretrained(base)
    available = config.get_text_config().num_hidden_layers
    if layers and layers > available:
        raise StageError(f"params.yaml: model.layers: {layers}: the base model has {available} layers")
    network = auto.from_pretrained(
        base, num_hidden_layers=layers or available, dtype="float32", use_safetensors=True, **options
    )
    text = network.config.get_text_config()
    if kinds := vars(text).get("layer_types"):  # one for each layer, or `save_pretrained` refuses the model
        text.layer_types = kinds[: text.num_hidden_layers]
    for module in network.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):  # repacks 4-bit weights so that no gradient passes them
            module.support_avx512bf16_for_cpu = False
    return network
