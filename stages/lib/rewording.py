"""Change a text in place: findings in other words of the ontology, and slips of the keyboard; placeholders stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from random import Random

from stages.lib.phenotypes.phenome import Wordings
from stages.lib.placeholders import outside_placeholders

WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
LONGEST = 7  # words of a wording
TYPED = re.compile(r"(?<!\w)[A-Za-z]{4,}(?!\w)")
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

Synonyms = Mapping[str, tuple[str, ...]]
"""The other wordings of what can stand in a text, by it in lower case."""


def synonyms_of(terms: Iterable[Wordings]) -> Synonyms:
    """Return what can be said for each clinical or lay wording; what means several terms is left out."""
    found: dict[str, tuple[str, ...]] = {}
    several: set[str] = set()
    for kinds in terms:
        wordings = tuple(dict.fromkeys(chain(kinds["label"], kinds["clinical"], kinds["lay"])))
        for key in dict.fromkeys(wording.casefold() for wording in wordings):
            several |= {key} & found.keys()
            found[key] = tuple(other for other in wordings if other.casefold() != key)
    return {key: others for key, others in found.items() if others and key not in several}


def reworded(text: str, synonyms: Synonyms, random: Random, *, chance: float) -> str:
    """Return the text with findings in other words, each with the given chance; the longest wording counts."""
    return outside_placeholders(text, lambda part: _reworded(part, synonyms, random, chance=chance))


def _reworded(text: str, synonyms: Synonyms, random: Random, *, chance: float) -> str:
    words = [match.span() for match in WORD.finditer(text)]
    pieces, copied, position = list[str](), 0, 0
    while position < len(words):
        start = words[position][0]
        for last in range(min(position + LONGEST, len(words)) - 1, position - 1, -1):
            said = text[start : (end := words[last][1])]
            if said.casefold() in synonyms:
                if random.random() < chance:
                    other = random.choice(synonyms[said.casefold()])
                    pieces += [text[copied:start], other[:1].upper() + other[1:] if said[0].isupper() else other]
                    copied = end
                position = last
                break
        position += 1
    return "".join([*pieces, text[copied:]])


def mistyped(text: str, random: Random, *, share: float) -> str:
    """Return the text with a slip in a share of its words of four letters or more; none beside a digit."""

    def word(match: re.Match[str]) -> str:
        return _slip(match[0], random) if random.random() < share else match[0]

    return outside_placeholders(text, lambda part: TYPED.sub(word, part))


def _slip(word: str, random: Random) -> str:
    """Return a word with a letter, not its first, left out, swapped with the next, or typed on a neighbouring key."""
    place = random.randrange(1, len(word) - 1)
    before, letter, after, rest = word[:place], word[place], word[place + 1], word[place + 2 :]
    row = next(row for row in KEYS if letter.lower() in row)
    column = row.index(letter.lower())
    near = random.choice(row[max(0, column - 1) : column] + row[column + 1 : column + 2])
    return before + random.choice((after, after + letter, (near.upper() if letter.isupper() else near) + after)) + rest
