"""Is a word clinical or a name? By the ontology, by English lemmas, by its vector and by its ending."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stages.lib.stage import StageError

if TYPE_CHECKING:
    from spacy.vocab import Vocab

ENDING = re.compile(
    r"(?:itis|osis|oses|emia|aemia|uria|pathy|pathies|algia|ectomy|otomy|ostomy|plasty|plasia|plastic|trophy|trophic|"
    r"plegia|plegic|paresis|dactyly|cephaly|cephalic|gnathia|gnathism|telorism|dontia|chalasia|megaly|penia|cytosis|"
    r"philia|phobia|phasia|phagia|pnea|pnoea|rrhea|rrhoea|rrhage|rrhagia|ptosis|sclerosis|stenosis|oma|omas|cardia|"
    r"thermia|tonia|tonic|kinesia|kinesis|taxia|lexia|lalia|genesis|genic|cele|dystonia|dystrophy|schisis|cusis|opia|"
    r"opsia|phakia|coria|trichosis|keratosis|blepharon|canthus|phthalmos|glossia|stomia|melia|syndactyly|mycin|cillin|pril|sartan|statin|olol|"
    r"azole|prazole|mab|nib|xaban|gliptin|gliflozin|tide|pam|lam|parin|vir|dipine|cycline|floxacin|oxetine|azepine|"
    r"coccus|cocci|bacter|bacteria|virus|monas|globin|globulin|ase|gram|graphy|scopy|scope|metry|ology|opathy|"
    r"phoria|iasis|esthesia|aesthesia|somnia|plasm|edema|phrys|amnios|cephalus|\w{4}oid|derma|cyte|cytes|rrhexis|lysis|pexy|desis|centesis|itic|otic|emic|etic|gia)$",
    re.IGNORECASE,
)
# of adjectives and nouns: surnames and towns have them too, so that a capital takes them away
COMMON_ENDING = re.compile(
    r"(?:ism|ity|tion|sion|ness|ment|ency|ancy|ing|ally|ous|ive|ular|inal|eal|ated|ized|ised|ella|\w{6}al|\w{6}ar|"
    r"\w{6}(?<![oe]v)ic)$",
    re.IGNORECASE,
)
CLINICAL = (
    "fever rash seizure hypotonia pneumonia diabetes insulin aspirin ibuprofen metformin amoxicillin anemia kidney "
    "liver lung thoracic lumbar hypertension tachycardia edema biopsy dose tablet syndrome chronic acute carcinoma "
    "lymphoma bacteria virus gene mutation protein dermatitis arthritis headache nausea cough scan surgery therapy"
)
NAMES = (
    "John Smith Mary Garcia Anna Mohammed Johnson David Maria Schmidt Chen Patel Boston Chicago Ohio London Texas "
    "Berlin Springfield Hospital University Street Avenue Microsoft Inc Ltd Kowalski Ivanov Tanaka Olsen Jennifer "
    "Michael Linda Rossi Dubois"
)
NEIGHBOURS = 5
INFLECTIONS = (
    ("", ""), ("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ied", "y"), ("ing", ""), ("ing", "e"),
    ("er", ""), ("er", "e"), ("est", ""), ("est", "e"), ("ly", ""), ("ally", ""), ("able", ""), ("able", "e"),
)  # fmt: skip


# Surnames and given names that are words too keep apart from clinical words by their vectors: below, a name
NAME = -0.2


class Lexicon:
    """Tell clinical words from names.

    By the ontology's words, the English words in the NER models' lemma tables, word vectors where a model brings them,
    and endings. None of these depends on the data or on the base model.
    """

    def __init__(self, vocabularies: list[Vocab], *, english: English, ontology: Ontology) -> None:
        from spacy.lang.en.stop_words import STOP_WORDS

        self.vocabulary = next((vocabulary for vocabulary in vocabularies if len(vocabulary.vectors)), None)
        self.english, self.ontology = english, ontology
        self.listed = STOP_WORDS | english.nouns | english.others | ontology.words
        self.clinical, self.names = (self._matrix(words.split()) for words in (CLINICAL, NAMES))
        self.leaning = functools.lru_cache(maxsize=100_000)(self._leaning)
        self.is_clinical = functools.lru_cache(maxsize=100_000)(self._is_clinical)
        self.is_known = functools.lru_cache(maxsize=100_000)(self._is_known)

    def is_common(self, word: str) -> bool:
        """Say whether `word`, which starts a sentence by its capital, is an English one and not taken for a name."""
        lower = word.lower()
        return self.leaning(lower) > -0.08 and (self.leaning(lower) != 0 or self._is_english(lower, self.english.nouns))

    def is_name(self, word: str) -> bool:
        """Say whether `word` stands clearly nearer to names of people, places and organisations."""
        return self.leaning(word) < NAME

    def stems(self, word: str) -> Iterable[str]:
        """Return what `word` may inflect, itself among them."""
        return (word[: len(word) - len(ending)] + rest for ending, rest in INFLECTIONS if word.endswith(ending))

    def is_listed(self, word: str) -> bool:
        """Say whether `word`, in lower case, is in a vocabulary of English or of medicine: endings tell nothing."""
        return self.leaning(word) > 0.05 or any(stem in self.listed for stem in self.stems(word))

    def _is_clinical(self, word: str) -> bool:
        """Say whether `word` is the ontology's, ends like a clinical word or stands nearer to these than to names."""
        leaning = self.leaning(word)
        return (
            leaning > 0.05
            or (leaning > -0.05 and len(word) > 5 and ENDING.search(word) is not None)
            or (leaning > -0.05 and len(word) > 5 and self._may_end(word, leaning))
            or (leaning > NAME and len(word) > 3 and word.lower() in self.ontology.words)
        )

    def _may_end(self, word: str, leaning: float) -> bool:
        """Say whether a word that has a vector, or no capital but in a word in capitals, ends as adjectives do."""
        return (leaning != 0 or not word.istitle()) and COMMON_ENDING.search(word) is not None

    def _is_known(self, word: str) -> bool:
        """Say whether `word` is clinical or English, so that its capital does not make a name of it."""
        lower = word.lower()
        return (
            self.is_clinical(word)
            or self._is_english(lower, self.english.others)
            or (self.leaning(word) > NAME and self._is_english(lower, self.english.nouns))
        )

    def _is_english(self, word: str, lemmas: frozenset[str]) -> bool:
        return word in self.ontology.words or any(stem in lemmas for stem in self.stems(word))

    def _leaning(self, word: str) -> float:
        """Return the mean cosine to the nearest clinical words less that to the nearest names; 0 where unknown."""
        vector = self._vector(word)
        if vector is None:
            return 0.0
        clinical, names = (
            float(np.sort(matrix @ vector)[-NEIGHBOURS:].mean()) for matrix in (self.clinical, self.names)
        )
        return clinical - names

    def _matrix(self, words: list[str]) -> np.ndarray:
        vectors = [vector for vector in map(self._vector, words) if vector is not None]
        return np.stack(vectors) if vectors else np.zeros((1, 1))

    def _vector(self, word: str) -> np.ndarray | None:
        if self.vocabulary is None:
            return None
        for form in (word, word.lower(), word.title()):
            if self.vocabulary.has_vector(form):
                vector = np.asarray(self.vocabulary.get_vector(form), dtype="float32")
                return vector / max(float(np.linalg.norm(vector)), 1e-9)
        return None


class English(NamedTuple):
    """English lemmas: nouns, among them many names of people and places, and verbs, adjectives and adverbs."""

    nouns: frozenset[str]
    others: frozenset[str]


class Ontology(NamedTuple):
    """The words of the ontology, and its pairs of neighbours (Lisch nodules), all in lower case."""

    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]


def read_ontology(folder: Path) -> Ontology:
    """Read hp.obo and phenotype.hpoa below `folder`; raise StageError where one is missing.

    A word counts if it occurs in lower case, or is a whole label: "Hydroureter". Others, such as eponyms and the
    authors that definitions cite, count only beside the neighbours that labels and names of diseases give them.
    """
    texts = []
    for name in ("hp.obo", "phenotype.hpoa"):
        if not (folder / name).is_file():
            raise StageError(f"{folder / name}: missing; run `dvc repro fetch` to bring it")
        texts.append((folder / name).read_text(encoding="utf-8"))
    labels = re.findall(r'(?m)^(?:name: |synonym: ")([^"\n]+)', texts[0])
    diseases = dict.fromkeys(re.findall(r"(?m)^(?:OMIM|ORPHA|DECIPHER):\w+\t([^\t]+)\t", texts[1]))
    prose = re.findall(r'(?m)^(?:def|comment): "?(.+)$', texts[0])
    words = {word for text in [*labels, *diseases, *prose] for word in re.findall(r"(?<![\w'])[a-z]{3,}(?!\w)", text)}
    words |= {label.lower() for label in labels if label.isalpha() and len(label) > 3}
    pairs = {pair for text in [*labels, *diseases] for pair in _neighbours(text)}
    return Ontology(frozenset(words), frozenset(pairs))


def read_english(folders: Iterable[Path]) -> English:
    """Return the lemmas of English (WordNet's, in lower case) in the lemma tables of spaCy models; some have none."""
    from spacy.lookups import Lookups
    from spacy.strings import get_string_id

    nouns: set[str] = set()
    others: set[str] = set()
    for folder in folders:
        if (folder / "lemmatizer" / "lookups").is_dir():
            lookups = Lookups().from_disk(folder / "lemmatizer" / "lookups")
            for name in ("lemma_index", "lemma_exc"):
                if lookups.has_table(name):
                    for part, words in lookups.get_table(name).items():
                        (nouns if part == get_string_id("noun") else others).update(words)
    return English(frozenset(nouns), frozenset(others))


def _neighbours(text: str) -> Iterable[tuple[str, str]]:
    words = re.findall(r"[^\W\d_]+", text)
    return ((first.lower(), second.lower()) for first, second in pairwise(words) if len(first) > 2)
