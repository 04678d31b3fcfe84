"""Is a word clinical or a name? By its ending, and by its vector where an NER model brings vectors."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spacy.vocab import Vocab

ENDING = re.compile(
    r"(?:itis|osis|oses|emia|aemia|uria|pathy|pathies|algia|ectomy|otomy|ostomy|plasty|plasia|plastic|trophy|trophic|"
    r"plegia|plegic|paresis|dactyly|cephaly|cephalic|gnathia|gnathism|telorism|dontia|chalasia|megaly|penia|cytosis|"
    r"philia|phobia|phasia|phagia|pnea|pnoea|rrhea|rrhoea|rrhage|rrhagia|ptosis|sclerosis|stenosis|oma|omas|cardia|"
    r"thermia|tonia|tonic|kinesia|kinesis|taxia|lexia|lalia|genesis|genic|cele|dystonia|dystrophy|schisis|cusis|opia|"
    r"opsia|phakia|coria|trichosis|keratosis|blepharon|canthus|phthalmos|glossia|stomia|melia|syndactyly|ism|ity|tion|"
    r"sion|ness|ment|ency|ancy|ing|ally|ous|ive|ular|inal|eal|ated|ized|ised|mycin|cillin|pril|sartan|statin|olol|"
    r"azole|prazole|mab|nib|xaban|gliptin|gliflozin|tide|pam|lam|parin|vir|dipine|cycline|floxacin|oxetine|azepine|"
    r"coccus|cocci|bacter|bacteria|virus|monas|ella|globin|globulin|ase|gram|graphy|scopy|scope|metry|ology|opathy|"
    r"phoria|iasis|esthesia|aesthesia|somnia|plasm|edema|phrys|amnios|cephalus|\w{6}al|\w{6}ar|\w{6}ic|\w{4}oid|derma|cyte|cytes|itic|otic|emic|etic|gia)$",
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


class Lexicon:
    """Tell clinical words from names; without a vocabulary that has vectors, by endings alone."""

    def __init__(self, vocabularies: list[Vocab]) -> None:
        self.vocabulary = next((vocabulary for vocabulary in vocabularies if len(vocabulary.vectors)), None)
        self.clinical, self.names = (self._matrix(words.split()) for words in (CLINICAL, NAMES))
        self.leaning = functools.lru_cache(maxsize=100_000)(self._leaning)

    def is_clinical(self, word: str) -> bool:
        """Say whether `word` has a clinical ending or stands nearer to clinical words than to names."""
        leaning = self.leaning(word)
        return leaning > 0.05 or (leaning > -0.05 and len(word) > 5 and ENDING.search(word) is not None)

    def is_common(self, word: str) -> bool:
        """Say whether the vocabulary knows `word` and does not take it for a name: its capital starts a sentence."""
        return self.leaning(word.lower()) > -0.08 and self.leaning(word.lower()) != 0

    def is_name(self, word: str) -> bool:
        """Say whether `word` stands clearly nearer to names of people, places and organisations."""
        return self.leaning(word) < -0.2

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
