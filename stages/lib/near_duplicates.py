"""Near-duplicate texts: notes in, the pairs of them out that say the same in almost the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from pydantic import Field

from stages.lib.stage import Strict, progress

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

CLUSTER = "near-duplicate "  # and a record_id: the name of a cluster among the groups of its records
PERMUTATIONS = 128
SELDOM = 10  # texts: what so few share is never a template's, however small the data
OWN = 0.2  # share of its shingles that a text must have besides templates, or it is compared whole
CHUNK = 8192  # texts whose words are held at once
PLACEHOLDER = re.compile(r"\[([A-Z_]+?)_\d+\]")


class NearDuplicateParams(Strict):
    """When two texts are near-duplicates: by the Jaccard similarity of their shingles, templates left out."""

    words: int = Field(ge=1, le=10)
    """Words in a shingle."""
    similarity: float = Field(ge=0.5, le=1)
    """Least share of two texts' shingles that they have in common."""
    template_share: float = Field(gt=0, le=1)
    """Share of the texts from which on a shingle is a note template's and says nothing of the patient."""


def with_near_duplicates(records: pd.DataFrame, params: NearDuplicateParams) -> pd.DataFrame:
    """Return `records` with each cluster of near-duplicates as one more of its records' groups.

    A cluster is what pairs join, directly or by others; it is named after its first record_id.
    """
    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    one, other = near_duplicates(records["text"].tolist(), params).T
    graph = coo_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(len(records), len(records)))
    cluster = connected_components(graph, directed=False)[1]
    names = CLUSTER + records["record_id"].groupby(cluster).transform("min")
    alone = np.bincount(cluster)[cluster] == 1
    groups = [
        [*declared] if single else [*declared, name]
        for declared, name, single in zip(records["groups"], names, alone, strict=True)
    ]
    return records.assign(groups=pd.Series(groups, index=records.index, dtype=object))


def near_duplicates(texts: Sequence[str], params: NearDuplicateParams) -> np.ndarray:
    """Return pairs of positions in `texts`, shape (pairs, 2); chains of pairs are the clusters.

    Case, punctuation and the numbers of placeholders don't count. Equal texts are joined to their first, templates or
    not. Candidates come from MinHash and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman,
    Mining of Massive Datasets, chapter 3) and are kept if their exact similarity is enough; at a similarity near the
    least, a few pairs are not found. Whether a pair is one does not depend on the other texts but by what they make a
    template.
    """
    import numpy as np
    import pandas as pd

    codes, unique = pd.factorize(pd.Series([normalise(text) for text in texts], dtype=object))
    firsts = pd.Series(np.arange(len(codes))).groupby(codes).transform("first").to_numpy()
    copies = np.flatnonzero(firsts != np.arange(len(codes)))
    first_of = np.unique(codes, return_index=True)[1]
    similar = first_of[
        _similar(_without_templates(list(_shingles(unique.tolist(), words=params.words)), params), params)
    ]
    return np.concatenate([np.stack([firsts[copies], copies], axis=1), similar.reshape(-1, 2)])


def normalise(text: str) -> str:
    """Return the words of `text` in lower case, one space between; `[PERSON_2]` is `person`."""
    return " ".join(re.findall(r"\w+", PLACEHOLDER.sub(r" \1 ", text).casefold()))


def _shingles(texts: Sequence[str], *, words: int) -> Iterator[np.ndarray]:
    """Yield the distinct shingles of each text as 32-bit hashes, sorted; a text shorter than a shingle is one."""
    import numpy as np
    import pandas as pd

    for start in range(0, len(texts), CHUNK):
        split = [text.split() for text in texts[start : start + CHUNK]]
        codes, vocabulary = pd.factorize(np.array([word for text in split for word in text], dtype=object))
        hashed = pd.util.hash_array(vocabulary, categorize=False)[codes]
        for text in np.split(hashed, np.cumsum([len(text) for text in split])[:-1]):
            width = min(words, len(text))
            shingles = np.zeros(max(0, len(text) - width + 1), dtype=np.uint64)
            for offset in range(width):
                shingles = shingles * np.uint64(0x9E3779B97F4A7C15) + text[offset : offset + len(shingles)]
            yield np.unique((shingles >> np.uint64(32)).astype(np.uint32))


def _without_templates(shingles: list[np.ndarray], params: NearDuplicateParams) -> list[np.ndarray]:
    """Return the shingles of each text but those that so many texts have that a template must have put them there.

    A text of hardly anything else keeps all, lest a note copied many times should pass for a template.
    """
    import numpy as np

    found, texts = np.unique(np.concatenate(shingles), return_counts=True)
    templates = found[texts > max(SELDOM, params.template_share * len(shingles))]
    own = [np.setdiff1d(text, templates, assume_unique=True) for text in shingles]
    return [few if len(few) >= OWN * len(text) else text for few, text in zip(own, shingles, strict=True)]


def _similar(shingles: list[np.ndarray], params: NearDuplicateParams) -> np.ndarray:
    """Return the pairs of positions, shape (pairs, 2), whose shingles are similar enough."""
    import numpy as np
    from datasketch import MinHash

    hashes = MinHash.generator(shingles, num_perm=PERMUTATIONS, seed=1, hashfunc=int)
    signatures = np.zeros((len(shingles), PERMUTATIONS), dtype=np.uint32)
    for position, hashed in enumerate(progress(hashes, description="near-duplicates", total=len(shingles))):
        signatures[position] = hashed.hashvalues
    pairs = []
    for one, other in sorted(_candidates(signatures, similarity=params.similarity)):
        common = len(np.intersect1d(shingles[one], shingles[other], assume_unique=True))
        if common >= params.similarity * (len(shingles[one]) + len(shingles[other]) - common):
            pairs.append((one, other))
    return np.array(pairs, dtype=int).reshape(-1, 2)


def _candidates(signatures: np.ndarray, *, similarity: float) -> set[tuple[int, int]]:
    """Return the pairs of positions whose signatures agree in a whole band, of as many rows as datasketch finds best.

    Its own index would say the same, and holds a dictionary of sets per band: 4 times the memory.
    """
    import numpy as np
    from datasketch import MinHashLSH

    # Weights that shun misses more than false alarms, for these are sorted out later.
    index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS, weights=(0.1, 0.9))
    found: set[tuple[int, int]] = set()
    for start in range(0, index.b * index.r, index.r):
        band = np.ascontiguousarray(signatures[:, start : start + index.r])
        _, bucket, sizes = np.unique(band, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(bucket, kind="stable")
        shared = sizes > 1
        for number, end in zip(sizes[shared], np.cumsum(sizes)[shared], strict=True):
            found.update(combinations(order[end - number : end].tolist(), 2))
    return found
