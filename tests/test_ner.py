"""NER by parameters: any spaCy pipeline and token classifier counts, wrong ones are refused, a text decides alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_scrub import ONTOLOGY, run_scrub

from stages.fetch import FetchParams, fetch_ner
from stages.lib.phi import ner
from stages.lib.phi.engine import load_finder
from stages.lib.phi.labels import entity_of
from stages.lib.phi.redaction import redact
from stages.lib.phi.token_classifier import TokenClassifier, load_token_classifier
from stages.lib.stage import StageError
from stages.lib.tree import tree_sha256

LABELS = ["O", "B-PATIENT", "I-PATIENT", "S-ID", "B-DATE", "B-HOSP"]
MakeClassifier = Callable[..., Path]


@pytest.fixture(scope="session")
def make_classifier() -> MakeClassifier:
    """Return a function that writes a tiny BERT whose label of a token depends on the token alone, as `rules` has it.

    Embeddings are one-hot per token, its only layer adds nothing and the head maps a token to its label.
    """
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    def make(folder: Path, rules: dict[str, str], labels: list[str] = LABELS, positions: int = 34) -> Path:
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *rules, *(f"##{piece}" for piece in "abcdefghijklmnopqrstuvwxyz")]
        folder.mkdir(parents=True)
        (folder / "vocab.txt").write_text("\n".join(words) + "\n")
        BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)
        torch.manual_seed(0)
        named = dict(enumerate(labels))
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            max_position_embeddings=positions,
            id2label=named,
            label2id={label: number for number, label in named.items()},
        )
        model = BertForTokenClassification(config)
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
            for name, weight in model.named_parameters():
                if name.endswith("LayerNorm.weight"):
                    weight.fill_(1)
            model.bert.embeddings.word_embeddings.weight.copy_(torch.eye(len(words), 64))
            model.classifier.bias[0] = 0.5
            for word, label in rules.items():
                model.classifier.weight[labels.index(label), words.index(word)] = 1
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def classifier(make_classifier: MakeClassifier, tmp_path_factory: pytest.TempPathFactory) -> TokenClassifier:
    """Return a model that takes Quux for a patient, with what follows, Fnord for a hospital and 1234567 for an ID."""
    rules = {"qu": "B-PATIENT", "vex": "I-PATIENT", "fnord": "B-HOSP", "1234567": "S-ID", "7": "S-ID", "may": "B-DATE"}
    return load_token_classifier(make_classifier(tmp_path_factory.mktemp("tiny") / "tiny", rules))


def found(classifier: TokenClassifier, text: str) -> list[tuple[str, str]]:
    """Return what the model finds, with its entity."""
    return [(text[span.start : span.end], span.entity) for span in classifier.find(text)]


def test_tokens_become_whole_words_and_names(classifier: TokenClassifier) -> None:
    assert found(classifier, "Then quxyz vex came to Fnord.") == [("quxyz vex", "PERSON"), ("Fnord", "ORGANIZATION")]
    assert found(classifier, "qu qu") == [("qu", "PERSON"), ("qu", "PERSON")]


def test_a_number_counts_where_it_has_digits_enough_and_a_date_is_left_to_its_recognizer(
    classifier: TokenClassifier,
) -> None:
    assert found(classifier, "1234567 and 7 in may") == [("1234567", "ID")]


@pytest.mark.parametrize("text", ["", " ", "\x00", "👩‍⚕️ مريض", "e\u0301" * 99])
def test_odd_texts_hold_no_name(classifier: TokenClassifier, text: str) -> None:
    assert found(classifier, text) == []


def test_a_long_text_is_read_to_its_end_in_overlapping_windows(classifier: TokenClassifier) -> None:
    assert classifier.window == 32
    words = ["x"] * 1000
    for place in range(0, 1000, 7):
        words[place] = "vex"
    assert found(classifier, " ".join(words)) == [("vex", "PERSON")] * 143


def test_the_texts_around_it_change_nothing(classifier: TokenClassifier) -> None:
    texts = ["qu vex", "x " * 200 + "fnord", "", "1234567"] * 3
    together = ner.find_entities(ner.Models([], [classifier]), texts)
    assert together == [ner.find_entities(ner.Models([], [classifier]), [text])[0] for text in texts]


@pytest.mark.parametrize(
    ("label", "entity"),
    [
        ("PER", "PERSON"),
        ("B-DOCTOR", "PERSON"),
        ("U-STAFF", "PERSON"),
        ("first_name", "PERSON"),
        ("E-LOCATION-OTHER", "LOCATION"),
        ("I-MEDICALRECORD", "MEDICAL_RECORD_NUMBER"),
        ("E-MAIL", "EMAIL_ADDRESS"),
        ("S-DATE", None),
        ("I-MISC", None),
        ("O", None),
    ],
)
def test_labels_of_common_models_are_known(label: str, entity: str | None) -> None:
    assert entity_of(label, "any") == entity


def test_an_unknown_label_is_named_with_the_place_to_add_it(make_classifier: MakeClassifier, tmp_path: Path) -> None:
    folder = make_classifier(tmp_path / "odd", {"x": "B-WIZARD"}, ["O", "B-WIZARD"])
    with pytest.raises(StageError, match=r"fetch\.ner\.odd: its label 'B-WIZARD' is unknown; .*labels\.py"):
        load_token_classifier(folder)


def test_a_head_without_weights_is_refused(make_classifier: MakeClassifier, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = make_classifier(tmp_path / "bare", {"x": "O"}) / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if not name.startswith("classifier")}
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(StageError, match=r"fetch\.ner\.bare: the model lacks classifier\.bias, classifier\.weight"):
        load_token_classifier(tmp_path / "bare")


def pickled(folder: Path) -> None:
    """Put pickled weights in the place of the model's."""
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_pickled_weights_are_never_read(make_classifier: MakeClassifier, tmp_path: Path) -> None:
    folder = make_classifier(tmp_path / "old", {"x": "O"})
    pickled(folder)
    with pytest.raises(StageError, match=r"fetch\.ner\.old: transformers cannot read the model"):
        load_token_classifier(folder)
    with pytest.raises(StageError, match=r"fetch\.ner\.old: lacks model\.safetensors.*Pickled"):
        fetch_ner(pins(old=folder))


def test_fetch_refuses_a_model_for_another_task(tiny_model: Path) -> None:
    with pytest.raises(StageError, match=r"fetch\.ner\.llama: is LlamaForCausalLM; pin a model for token"):
        fetch_ner(pins(llama=tiny_model))


def pins(**folders: Path) -> FetchParams:
    """Return fetch's parameters with a model of each folder."""
    paths = {
        name: {"path": str(folder), "sha256": tree_sha256(folder), "licence": "MIT"} for name, folder in folders.items()
    }
    terms = {"path": "terms", "sha256": 64 * "0", "licence": "MIT", "files": ["hp.obo"]}
    model = {"path": "model", "sha256": 64 * "0", "licence": "MIT"}
    return FetchParams.model_validate({"model": model, "ner": paths, "ontology": terms, "data": {}})


@pytest.fixture
def both(make_classifier: MakeClassifier, ner_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what fetch makes of a spaCy pipeline and a token classifier."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny = make_classifier(tmp_path / "tiny", {"abdomen": "B-PATIENT", "1234567": "S-ID"})
    return fetch_ner(pins(small=ner_models / "small", tiny=tiny))


def test_the_union_of_both_kinds_counts(both: Path) -> None:
    assert [path.name for path in ner.pipeline_folders(both)] == ["small"]
    assert [path.name for path in ner.classifier_folders(both)] == ["tiny"]
    finder = load_finder(both, ONTOLOGY, 0.35, ("NRP",))
    text = "Jennifer Wilson has an Abdomen scan; seen with 123 4567 and 1234567."
    ((scrubbed, _),) = redact([[text]], finder.find, finder.lexicon)[0]
    assert "Jennifer" not in scrubbed
    assert "1234567" not in scrubbed
    assert "Abdomen" in scrubbed  # what a classifier takes for a name must pass the safeguards


def test_a_token_classifier_alone_lacks_the_words_of_english(classifier: TokenClassifier, both: Path) -> None:
    shutil.rmtree(both / "small")
    with pytest.raises(StageError, match="no model brings the words of English"):
        load_finder(both, ONTOLOGY, 0.35, ("NRP",))


def test_the_number_of_workers_changes_no_byte_with_a_token_classifier(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[list[bytes]] = []
    for workers in ("1", "2"):
        monkeypatch.setenv("DIFFERENTIAL_WORKERS", workers)
        outputs.append(run_scrub(tmp_path, both, copies=6))
    assert outputs[0] == outputs[1]
