"""What the expectation suite looks at: scrubbed records in, a row of counts, shares and flags per record out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.labels import Label, Terminology, number_labels, read_diagnoses, tokens
from stages.lib.placeholders import PATTERN
from stages.lib.pool import in_order
from stages.lib.stage import progress

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

ROWS = 2**13
COLUMNS = (
    "record_id", "patient_id", "text", "diagnosis", "age", "sex", "date", "phenotypes", "excluded_phenotypes", "split",
)  # fmt: skip
OLDEST = 90  # years: what `scrub` writes for any age above 89
FUNCTION_WORDS = (
    "the and of to with for was were has have had been is are this that from by at on or not it she her his my which "
    "who since but all be there their they when"
)  # English only: "a", "in", "an", "so" or "no" are words of other languages too
CONTROL = r"[\x{0}-\x{8}\x{b}\x{e}-\x{1f}\x{7f}-\x{9f}]"  # but tab, line feed, form feed and carriage return
# UTF-8 read as Windows-1252 or Latin-1 (Ã¼, â€™), and what stands for a character that could not be decoded
MOJIBAKE = (
    r"[\x{c2}\x{c3}][\x{80}-\x{bf}\x{152}-\x{192}\x{2c6}-\x{2dc}\x{2013}-\x{203a}\x{20ac}\x{2122}]|"
    r"\x{e2}[\x{80}\x{20ac}]|\x{fffd}"
)
COMMON_FORMS = {"AGE", "DATE_TIME", "PHONE_NUMBER", "IP_ADDRESS"}  # true values and surrogates look like a canary's
LENGTHS = [round(2 ** (half / 2)) for half in range(2, 34)]  # words from which a class of text lengths begins


def observe(
    path: Path, *, accepted: Iterable[str], terminology: Terminology, faked: bool = False, workers: int = 1
) -> pd.DataFrame:
    """Return a row of counts, shares and flags per record, in the order of the file; it holds no value of a record.

    There must be a record. `accepted` are the diagnoses of the data accepted last. Where values are `faked`, only what
    no fake looks like counts as PHI. The number of `workers`, processes, changes nothing but the time.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    accepted = list(accepted)
    labels = number_labels({diagnosis: list[str]() for diagnosis in accepted} | read_diagnoses(path), terminology)
    file = pq.ParquetFile(path)
    batches = file.iter_batches(batch_size=ROWS, columns=list(COLUMNS))
    total = -(-file.metadata.num_rows // ROWS)
    given = progress(batches, description="observe", total=total)
    tasks = ((None, (batch.schema, batch.serialize())) for batch in given)  # of a slice, pickle would take the whole
    work = partial(_of_batch, labels=labels, faked=faked)
    parts = [part for _, part in in_order(work, tasks, workers=min(workers, total), stage="validate")]
    observed = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return _across(observed, labels=labels, accepted=len(accepted), owners=owners(path))


def owners(path: Path) -> np.ndarray:
    """Return the number of each record's independent group."""
    import pandas as pd

    from stages.lib.records import independent_groups

    table = pd.read_parquet(path, columns=["patient_id", "groups"])
    return independent_groups(table.assign(patient_id=table["patient_id"].fillna("")))


def length_of(words: np.ndarray) -> np.ndarray:
    """Return the class of text lengths, from 0, of counts of words."""
    import numpy as np

    return np.searchsorted(LENGTHS, words, side="right").astype("int16")


def planted() -> str:
    """Return a pattern of what `scrub` plants in canaries, but of what other texts may hold by chance."""
    from stages.lib.phi.canaries import TEXTS

    texts = [text for entity, texts in TEXTS.values() if entity not in COMMON_FORMS for text in texts]
    values = [found.replace("} {", " ") for text in texts for found in re.findall(r"\{((?:[^{}]|\} \{)+)\}", text)]
    return "(?i)" + "|".join(re.escape(value) for value in values if len(value) > 5 and re.search(r"[\W\d]", value))


def _of_batch(batch: tuple[pa.Schema, pa.Buffer], *, labels: Mapping[str, Label], faked: bool) -> dict[str, np.ndarray]:
    """Return what can be said of each record by itself, and hashes for what is said across records."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    def flag(values: Any) -> np.ndarray:
        flags: np.ndarray = pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype("int8")
        return flags

    def other_than(values: pa.Array, known: list[str]) -> np.ndarray:
        return flag(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=pa.array(known)))))

    def hashes(values: list[str]) -> np.ndarray:
        hashed: np.ndarray = pd.util.hash_array(np.array(values, dtype="object"), categorize=False)
        return hashed

    schema, serialized = batch
    column = dict(zip(schema.names, pa.ipc.read_record_batch(serialized, schema).columns, strict=True))
    text, age, patient = (column[name] for name in ("text", "age", "patient_id"))
    texts, words, values = _of_texts(text, column["diagnosis"], labels, faked=faked)
    placeholders = pc.fill_null(pc.count_substring_regex(text, PATTERN), 0).to_numpy(zero_copy_only=False)
    counted = values["words"]
    return values | {
        "no_record_id": flag(pc.is_null(column["record_id"])),
        "no_patient_id": flag(pc.is_null(patient)),
        "impossible_age": flag(pc.invert(pc.and_(pc.greater_equal(age, 0), pc.less_equal(age, OLDEST)))),
        "unknown_sex": other_than(column["sex"], ["female", "male", "other"]),
        "unknown_split": other_than(column["split"], ["train", "validation", "calibration", "test"]),
        "exact_date": flag(pc.invert(pc.match_substring_regex(column["date"], r"^\d{4}$"))),
        **_of_phenotypes(column["phenotypes"], column["excluded_phenotypes"]),
        "length": length_of(counted),
        "redacted": (placeholders / np.maximum(counted, 1)).astype("float32"),
        "function_words": (values["function_words"] / np.maximum(counted - placeholders, 1)).astype("float32"),
        "mojibake": flag(pc.match_substring_regex(text, MOJIBAKE)),
        "control_characters": flag(pc.match_substring_regex(text, CONTROL)),
        "canary": flag(pc.starts_with(patient, "canary-")) | flag(pc.match_substring_regex(text, planted())),
        "record": hashes([value or "" for value in column["record_id"].to_pylist()]),
        "text": hashes(texts),
        "words_of_text": hashes(words),
    }


def _of_texts(
    texts: pa.Array, diagnoses: pa.Array, labels: Mapping[str, Label], *, faked: bool
) -> tuple[list[str], list[str], dict[str, np.ndarray]]:
    """Return the texts, their words as one string each, and what takes both a text and its words or diagnosis."""
    import numpy as np

    from stages.lib.phi.hits import hits_by_text

    function_words, nothing = frozenset(FUNCTION_WORDS.split()), Label(-1, "", (), 0)
    kept, joined, rows = list[str](), list[str](), list[tuple[int, ...]]()
    for value, name in zip(texts.to_pylist(), diagnoses.to_pylist(), strict=True):
        text, diagnosis = (value or "").strip(), (name or "").strip()
        words = tokens(text)
        line = f" {' '.join(words)} "
        label = labels.get(diagnosis, nothing)
        named = any(map(line.__contains__, label.names))
        said = [*map(function_words.__contains__, words)].count(True)
        rows.append((label.number, not diagnosis, not text, len(words), said, named, label.phi_hits))
        kept.append(text)
        joined.append(line)
    names = ("diagnosis", "no_diagnosis", "no_text", "words", "function_words", "names_diagnosis", "phi_hits")
    values = dict(zip(names, np.array(rows, dtype="int32").reshape(-1, len(names)).T, strict=True))
    return kept, joined, values | {"phi_hits": values["phi_hits"] + hits_by_text(texts, faked=faked)}


def _of_phenotypes(observed: pa.Array, excluded: pa.Array) -> dict[str, np.ndarray]:
    """Return which records hold what is no id of an HPO term, and which observe and exclude the same term."""
    import numpy as np
    import pandas as pd
    import pyarrow.compute as pc

    malformed, pairs = np.zeros(len(observed), dtype="int8"), list[pd.DataFrame]()
    for lists in (observed, excluded):
        rows, terms = pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists)
        sound = pc.fill_null(pc.match_substring_regex(terms, r"^HP:\d{7}$"), False).to_numpy(zero_copy_only=False)
        malformed[rows[~sound]] = 1
        pairs.append(pd.DataFrame({"row": rows, "term": terms.to_pylist()}).drop_duplicates())
    contradictory = np.zeros(len(observed), dtype="int8")
    contradictory[pairs[0].merge(pairs[1])["row"]] = 1
    return {"malformed_phenotypes": malformed, "contradictory_phenotypes": contradictory}


def _across(observed: pd.DataFrame, *, labels: Mapping[str, Label], accepted: int, owners: np.ndarray) -> pd.DataFrame:
    """Return the columns that go into results: those of `observed` but its hashes, and what takes several records."""
    import pandas as pd

    diagnosis = observed["diagnosis"].where(observed["diagnosis"] >= 0)  # null where a record has none
    by_diagnosis = diagnosis.groupby(diagnosis)
    spellings = pd.Series([label.words for label in labels.values()], dtype="object")
    shared = observed["words_of_text"][observed["words_of_text"].duplicated(keep=False)]
    of_text = diagnosis[shared.index].groupby(shared).transform("nunique")
    groups = pd.Series(owners).groupby(diagnosis).nunique()
    return observed.drop(columns=["record", "text", "words_of_text"]).assign(
        diagnosis=diagnosis,
        shares_record_id=observed["record"].duplicated(keep=False).astype("int8"),
        repeats_text=observed["text"].duplicated().astype("int8"),
        repeats_words=observed["words_of_text"].duplicated().astype("int8"),
        other_diagnoses=(of_text > 1).reindex(observed.index, fill_value=False).astype("int8"),
        cases_of_diagnosis=by_diagnosis.transform("size"),
        groups_of_diagnosis=diagnosis.map(groups),
        other_spellings=diagnosis.isin(spellings.index[spellings.duplicated(keep=False)]).astype("int8"),
        new_diagnosis=(diagnosis >= accepted).astype("int8"),
        accepted_diagnosis=diagnosis.where(diagnosis.between(0, accepted - 1)),
    )
