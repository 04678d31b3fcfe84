"""Texts without capitals get those of names back: models and patterns learned from cased text."""

from __future__ import annotations

import re
from itertools import chain

from stages.lib.phi.knowledge import KNOWN
from stages.lib.phi.lexicon import ENDING, Lexicon
from stages.lib.phi.safeguards import COMMON_WORDS

WORD = re.compile(r"(?<![\w@./-])[^\W\d_]+(?:['\u2019-][^\W\d_]+)*(?![\w@])")
VOWEL = re.compile(r"[aeiouyà-ÿ]")
CAPITAL = "[A-ZÀ-ÖØ-ÞĀČĐĒĢĪŁŚŠŽŹŻ]"
# Beside a name that has its capital again, these get theirs: "[Elm] street", "port [Roe]", "j. [Roe]"
BORNE = re.compile(
    r"(?P<before>\b(?:st|saint|mt|mount|north|south|east|west|new|port|lake|royal|san|santa|upper|lower|fort|van|"
    r"von)\b|"
    rf"(?<![\w'\u2019.-])[b-hj-z])(?=\.? {CAPITAL})|"
    rf"(?P<name>\b{CAPITAL}[\w'\u2019-]*,? (?:& |and )?)(?:(?P<kind>street|st|avenue|ave|road|rd|lane|ln|drive|"
    rf"dr|court|"
    r"ct|place|square|terrace|way|crescent|close|grove|hill|park|mews|systems|solutions|engineering|software|"
    r"logistics|consulting|capital|foods|"
    r"media|motors|sons|brothers|group|partners|labs|clinic|hospital|"
    r"infirmary|university|college|general|medical|center|centre|county|inc|ltd|corp)|"
    r"(?P<capitals>llc|llp|plc|[a-z]{2}(?= \d{5})))\b"
)
NEGATED = re.compile(r"n['\u2019]?t$")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
LETTERS = 3  # of a word that could be a name


def truecased(text: str, lexicon: Lexicon) -> str:
    """Return `text`, if it has no capital, with one on each word that is a name or unlike others; no offset moves."""
    if not text.islower():
        return text
    cased = WORD.sub(lambda word: _titled(word[0]) if is_unlike(word[0], lexicon) else word[0], text)
    return BORNE.sub(_borne, BORNE.sub(_borne, cased))  # twice: "[Elm] general hospital"


def is_misspelt(word: str, lexicon: Lexicon) -> bool:
    """Say whether a letter less, more, another or two swapped make `word` a listed one, or a blank makes it two."""
    for stem in lexicon.stems(word):
        cuts = [(stem[:place], stem[place:]) for place in range(len(stem) + 1)]
        shorter = (before + after[1:] for before, after in cuts if after)
        turned = (before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1)
        other = (before + letter + after[1:] for before, after in cuts if after for letter in ALPHABET)
        longer = (before + letter + after for before, after in cuts for letter in ALPHABET)
        if not lexicon.listed.isdisjoint(chain(shorter, turned, other, longer)):
            return True
    cuts = [(word[:place], word[place:]) for place in range(LETTERS, len(word) - LETTERS + 1)]
    return any(lexicon.is_listed(first) and lexicon.is_listed(second) for first, second in cuts)


def _titled(word: str) -> str:
    """Return `word` with a capital, if that is one letter."""
    first = word[0].upper()
    return first + word[1:] if len(first) == 1 else word


def _borne(found: re.Match[str]) -> str:
    if found["before"]:
        return _titled(found["before"])
    return found["name"] + (_titled(found["kind"]) if found["kind"] else found["capitals"].upper())


def is_unlike(word: str, lexicon: Lexicon) -> bool:
    """Say whether a part of `word` is nearer to names, or in no vocabulary and no misspelling of what is in one."""
    if word in COMMON_WORDS or word in KNOWN or NEGATED.search(word):
        return False
    return any(_is_strange(part, lexicon) for part in re.split(r"['\u2019-]", word) if len(part) >= LETTERS)


def _is_strange(part: str, lexicon: Lexicon) -> bool:
    if not VOWEL.search(part):
        return False
    if lexicon.is_name(part):
        return not any(stem in lexicon.english.others for stem in lexicon.stems(part))  # "black" is an adjective
    return not (lexicon.is_listed(part) or ENDING.search(part) or is_misspelt(part, lexicon))
