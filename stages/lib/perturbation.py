"""Change a note in ways that must, or must not, move its diagnosis: a record in, a pair of texts out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from stages.lib.augmentation import AugmentParams, Language, copies, named, read_language
from stages.lib.counterfactuals import Pair, Record, either_sex, other_age, other_origin, other_sex
from stages.lib.narration.identities import Pools, invent, make_pools
from stages.lib.negation import flipped, normalised
from stages.lib.placeholders import PLACEHOLDER, outside_placeholders
from stages.lib.rewording import mistyped, reworded
from stages.lib.sentences import split_sentences

if TYPE_CHECKING:
    import pandas as pd

TYPOS = 0.1  # share of words of four letters or more
RETOLD = AugmentParams(copies=1, phenotype_dropout=0, synonyms=0, voice_change=1, typos=0)
# Related by marriage alone: what they have is no family history.
RELATIVES = ("stepfather", "stepmother", "stepbrother", "stepsister")
THEIRS = (
    "asthma",
    "cataract",
    "epilepsy",
    "hearing loss",
    "high blood pressure",
    "kidney stones",
    "migraine",
    "psoriasis",
)
UNRELATED = (
    "The appointment was moved by a day because of the weather.",
    "The waiting room was busy today.",
    "A new parking permit was asked for at the desk.",
    "An interpreter was not needed.",
    "The previous letter was sent to the wrong address.",
)


@dataclass(frozen=True)
class Context:
    """What perturbations draw from: wordings, identifiers, and the diagnoses that sex says little about."""

    language: Language
    pools: Pools
    either_sex: frozenset[str]

    @cached_property
    def findings(self) -> frozenset[str]:
        """All findings of the ontology, as `normalised` gives them."""
        kinds = (kind for wordings in self.language.wordings.values() for kind in wordings.values())
        return frozenset(normalised(wording) for kind in kinds for wording in kind)


class Perturbation(NamedTuple):
    """What is expected of the diagnosis, and how a record's text is changed, if it can be."""

    expected: Literal["same", "changes"]
    pair: Callable[[Record, Random, Context], Pair | None]


def read_context(ontology: Path, records: pd.DataFrame, *, seed: int) -> Context:
    """Read what the records' texts can be changed with."""
    pools = make_pools(seed, allowed=lambda _: True)
    return Context(read_language(ontology, records), pools, either_sex(records))


def perturbed(record: Record, name: str, context: Context, *, seed: int) -> Pair | None:
    """Return the text before and after; None where the perturbation has nothing to change.

    What is drawn depends on the seed, the record's id and the perturbation's name alone.
    """
    pair = PERTURBATIONS[name].pair(record, Random(f"{seed}/{record['record_id']}/{name}"), context)
    return pair if pair and pair[0] != pair[1] else None


def reordered(text: str, random: Random) -> str:
    """Return the text with its sentences in another order, and what separates them where it was."""
    parts = split_sentences(text)
    places = [place for place in range(0, len(parts), 2) if parts[place]]
    moved = random.sample(places, len(places))
    told = dict(zip(places, (parts[place] for place in moved), strict=True))
    return "".join(told.get(place, part) for place, part in enumerate(parts))


def with_sentence(text: str, sentence: str, random: Random) -> str:
    """Return the text with one more sentence, between two of its own or at its end."""
    parts = split_sentences(text)
    place = random.randrange(1, len(parts), 2) if len(parts) > 1 else 1
    separator = parts[place] if len(parts) > 1 else " "
    return "".join([*parts[:place], separator, sentence, *parts[place:]])


def without_denial(record: Record, context: Context) -> str:
    """Return the text with denied findings told as present: the record's, or any of the ontology if it names none."""
    denied = record["excluded_phenotypes"]
    if denied is None or not len(denied):
        return flipped(record["text"], context.findings)
    kinds = (kind for term in denied for kind in context.language.wordings.get(term, {}).values())
    return flipped(record["text"], {normalised(wording) for kind in kinds for wording in kind})


def in_synonyms(record: Record, random: Random, context: Context) -> str | None:
    """Return the text with every finding in another of its wordings; None where one would name the diagnosis."""
    text, names = record["text"], context.language.names[record["diagnosis"]]
    changed = reworded(text, context.language.synonyms, random, chance=1)
    return changed if named(changed, names) <= named(text, names) else None


def retold(record: Record, context: Context) -> str | None:
    """Return a note in another voice that tells the same findings; None where the pipeline's narration can't."""
    copy = next(copies(record, context.language, RETOLD, seed=0), None)
    return copy["text"] if copy and copy["voice"] != record["voice"] else None


def with_surrogates(record: Record, random: Random, context: Context) -> str:
    """Return the text with invented identifiers for its placeholders; one of a kind that is not invented stays."""
    identity, _ = invent(context.pools, random, sex=record["sex"], age=40.0)
    values: dict[str, list[str]] = {}
    for entity, value in identity.values():
        values.setdefault(entity, []).append(value)

    def fake(match: re.Match[str]) -> str:
        entity, _, number = match[0][1:-1].rpartition("_")
        own = values.get(entity, [match[0]])
        return own[(int(number) - 1) % len(own)]

    return PLACEHOLDER.sub(fake, record["text"])


def _in_place(change: Callable[[str, Random], str]) -> Callable[[Record, Random, Context], Pair | None]:
    return lambda record, random, _: (record["text"], change(record["text"], random))


def _beside(
    change: Callable[[Record, Random, Context], str | None],
) -> Callable[[Record, Random, Context], Pair | None]:
    def pair(record: Record, random: Random, context: Context) -> Pair | None:
        changed = change(record, random, context)
        return None if changed is None else (record["text"], changed)

    return pair


def _relative(text: str, random: Random) -> str:
    return with_sentence(text, f"The {random.choice(RELATIVES)} of the patient has {random.choice(THEIRS)}.", random)


def _tagged(match: re.Match[str]) -> str:
    entity = match[0][1:-1].rpartition("_")[0]
    return "<NAME>" if entity == "PERSON" else f"<{entity}>"


PERTURBATIONS = {
    "typos": Perturbation("same", _in_place(lambda text, random: mistyped(text, random, share=TYPOS))),
    "upper_case": Perturbation("same", _in_place(lambda text, _: outside_placeholders(text, str.upper))),
    "lower_case": Perturbation("same", _in_place(lambda text, _: outside_placeholders(text, str.lower))),
    "sentence_order": Perturbation("same", _in_place(reordered)),
    "synonyms": Perturbation("same", _beside(in_synonyms)),
    "another_voice": Perturbation("same", _beside(lambda record, _, context: retold(record, context))),
    "distractor_relative": Perturbation("same", _in_place(_relative)),
    "distractor_unrelated": Perturbation(
        "same", _in_place(lambda text, random: with_sentence(text, random.choice(UNRELATED), random))
    ),
    "placeholders_blank": Perturbation("same", _in_place(lambda text, _: PLACEHOLDER.sub("____", text))),
    "placeholders_tagged": Perturbation("same", _in_place(lambda text, _: PLACEHOLDER.sub(_tagged, text))),
    "placeholders_surrogate": Perturbation("same", _beside(with_surrogates)),
    "sex_swapped": Perturbation("same", _beside(lambda record, _, context: other_sex(record, context.either_sex))),
    "age_shifted": Perturbation("same", _beside(lambda record, random, _: other_age(record, random))),
    "name_origin": Perturbation("same", lambda record, random, _: other_origin(record, random)),
    "negation_flipped": Perturbation("changes", _beside(lambda record, _, context: without_denial(record, context))),
}
