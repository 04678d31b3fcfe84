"""Turn a patient's findings into a note: an identity, a voice, and wordings of that voice's kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from stages.lib.narration.identities import Pools, invent
from stages.lib.narration.notes import Voice, read_voices, write_note
from stages.lib.phenotypes.phenome import Wordings


@dataclass(frozen=True)
class Narrator:
    """What all notes of a source share."""

    voices: Sequence[Voice]
    pools: Pools

    def narrate(
        self,
        random: Random,
        *,
        findings: Sequence[Wordings],
        excluded: Sequence[Wordings] = (),
        trait: Wordings | None = None,
        sex: str | None,
        age: float | None,
    ) -> dict[str, Any]:
        """Return text, voice, date and gold spans of a note that tells all findings and denies the excluded ones.

        The date is None where the note tells none.
        """
        years = 40.0 if age is None else age
        voice = random.choice([voice for voice in self.voices if voice.ages[0] <= years < voice.ages[1]])
        identity, date = invent(self.pools, random, sex=sex, age=age)
        note = write_note(
            voice,
            random,
            findings=[random.choice(wordings[voice.wording]) for wordings in findings],
            absent=[random.choice(wordings[voice.wording]) for wordings in excluded],
            trait=random.choice(trait[voice.wording]) if trait else None,
            identity=identity,
            sex=sex,
            age=age,
        )
        dated = any(span["entity"] == "DATE_TIME" for span in note.phi)
        return {"text": note.text, "voice": note.voice, "date": date if dated else None, "phi": note.phi}


def known_voice(name: str) -> str:
    """Return the name of a voice of notes.yaml; raise ValueError with the names there are."""
    names = list(dict.fromkeys(voice.voice for voice in read_voices()))
    if name not in names:
        raise ValueError(f"choose from {', '.join(names)}")
    return name


def template_words() -> set[str]:
    """Return the words of three letters or more that templates of notes hold."""
    return set(re.findall(r"[a-z]{3,}", Path(__file__).with_name("notes.yaml").read_text(encoding="utf-8").lower()))


def chosen_voices(names: Sequence[str]) -> list[Voice]:
    """Return the voices of these names; a name may have several, for different ages."""
    return [voice for voice in read_voices() if voice.voice in names]
