"""Tiny randomly initialised models of the families that people fine-tune, with a byte-level tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = ["<pad>", "<eos>", "<user>", "<assistant>", "<end>"]
CHAT = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
WINDOW = 16
DECODERS: dict[str, dict[str, Any]] = {
    "gpt2": {},
    "llama": {"tie_word_embeddings": True},
    "qwen3": {},
    "gemma": {},
    "gemma2": {"sliding_window": WINDOW, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"] * 2},
    "mistral": {"sliding_window": WINDOW},
}
ENCODERS: dict[str, dict[str, Any]] = {"bert": {}, "modernbert": {"local_attention": WINDOW}}
OTHERS: dict[str, dict[str, Any]] = {"mamba": {}}
LAYERS = 4


def save_tokenizer(folder: Path, *, chat: bool = False) -> None:
    """Write a tokenizer of bytes and special tokens, with or without a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", additional_special_tokens=SPECIAL[2:]
    )
    fast.chat_template = CHAT if chat else None
    fast.save_pretrained(folder)


def save_model(folder: Path, family: str, *, chat: bool = False, length: int = 512, **changes: Any) -> Path:
    """Write a model of four narrow layers and its tokenizer into a folder, and return it."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    save_tokenizer(folder, chat=chat)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": LAYERS, "num_attention_heads": 2}
    heads = {"num_key_value_heads": 1, "head_dim": 8, "vocab_size": 256 + len(SPECIAL)}
    tokens = dict.fromkeys(["bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"], 1) | {"pad_token_id": 0}
    own = (DECODERS | ENCODERS | OTHERS)[family]
    settings = sizes | heads | tokens | own | changes
    config = AutoConfig.for_model(family, max_position_embeddings=length, initializer_range=0.3, **settings)
    torch.manual_seed(0)
    auto = AutoModel if family in ENCODERS else AutoModelForCausalLM
    auto.from_config(config).save_pretrained(folder)
    return folder
