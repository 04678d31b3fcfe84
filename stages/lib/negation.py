"""Turn what a note denies into what it tells: a text and findings in, the text with these present out."""

from __future__ import annotations

import re
from collections.abc import Set

from stages.lib.labels import tokens
from stages.lib.sentences import split_sentences

LONGEST = 8  # words of a finding
# Cues that stand before what they deny, after NegEx (Chapman et al. 2001), and what says the opposite.
CUES = (
    (r"negatives?: no", "positives:"),
    (r"-ve:", "+ve:"),
    (r"neg(?:ative)? for", "positive for"),
    (r"den(?:y|ies|ied)(?: any)?", "reports"),
    (r"(do|does|did)(?:n['\u2019]t| not) (have|find)(?: any)?", r"\1 \2"),
    (r"could not find(?: any)?", "found"),
    (r"(?:has |have )?never had", "had"),
    (r"(is|was|are|were) without", r"\1 with"),
    (r"without", "with"),
    (r"no (evidence|signs?|history) of", r"\1 of"),
    (r"(?:no|nil)", ""),
)
CUE = re.compile("|".join(rf"(?<!\w)(?:{pattern})(?!\w)" for pattern, _ in CUES), re.IGNORECASE)
NOTHING = re.compile(r"looked for (.+?) and found nothing", re.IGNORECASE)


def flipped(text: str, findings: Set[str]) -> str:
    """Return the text with denied findings told as present; what else it denies stays.

    `findings` are wordings as `normalised` gives them. A cue reaches to the next cue or the end of its sentence.
    """
    parts = split_sentences(text)
    parts[::2] = [_flipped(part, findings) for part in parts[::2]]
    return "".join(parts)


def normalised(wording: str) -> str:
    """Return the words of a text, by which findings are compared."""
    return " ".join(tokens(wording))


def _flipped(sentence: str, findings: Set[str]) -> str:
    if (found := NOTHING.search(sentence)) and _tells(found[1], findings):
        return f"{sentence[: found.start()]}found {_all(found[1])}{sentence[found.end() :]}"
    cues = list(CUE.finditer(sentence))
    ends = [*(cue.start() for cue in cues[1:]), len(sentence)]
    pieces = [sentence[: cues[0].start()] if cues else sentence]
    for cue, end in zip(cues, ends, strict=True) if cues else ():
        scope = sentence[cue.end() : end]
        pieces += [*_affirmed(cue[0], scope)] if _tells(scope, findings) else [cue[0], scope]
    return "".join(pieces)


def _affirmed(cue: str, scope: str) -> tuple[str, str]:
    """Return the cue's opposite and what it is said of."""
    matches = ((re.fullmatch(pattern, cue, re.IGNORECASE), new) for pattern, new in CUES)
    said = next(match.expand(new) for match, new in matches if match)
    scope = _all(scope) if said else _all(scope).lstrip()
    first, rest = (said, scope) if said else ("", scope)
    if cue[0].isupper():
        return (first[:1].upper() + first[1:], rest) if first else ("", rest[:1].upper() + rest[1:])
    return first, rest


def _all(listed: str) -> str:
    return listed.replace(" or ", " and ")


def _tells(text: str, findings: Set[str]) -> bool:
    """Say whether a run of the text's words is a finding."""
    words = tokens(text)
    return any(
        " ".join(words[start:end]) in findings
        for start in range(len(words))
        for end in range(start + 1, min(start + LONGEST, len(words)) + 1)
    )
