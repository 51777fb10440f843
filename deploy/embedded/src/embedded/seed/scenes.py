"""Short scenes of realistic chat, and the conversation of a room built from them. A room always gets the same one.

A scene is a block of lines `A: text` in `scenes_<language>.txt`; `B^2: text` answers the line two before. `{food}` and
other slots are filled from the lists at the start of the file, with one value per scene.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from embedded.seed.dataset import Language, Room

SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Line:
    speaker: str
    body: str
    replies_to: int = 0
    """The distance to the answered line; 0 if this is no reply."""


@dataclass(frozen=True)
class Script:
    slots: Mapping[str, Sequence[str]]
    scenes: Sequence[Sequence[Line]]


def conversation(room: Room) -> list[Line]:
    """Return the room's messages in order, each with the WebChat ID of its sender."""
    dice = random.Random(room.key)  # noqa: S311 - not a secret
    endless = _lines(script(room.language), room.people, dice)
    return [next(endless) for _ in range(room.messages)]


def _lines(script: Script, people: Sequence[str], dice: random.Random) -> Iterator[Line]:
    """Return the lines of all fitting scenes in random order, again and again."""
    fitting = [scene for scene in script.scenes if len({line.speaker for line in scene}) <= len(people)]
    while True:
        for scene in dice.sample(fitting, len(fitting)):
            roles = dict(zip("ABCDE", dice.sample(list(people), min(5, len(people))), strict=False))
            values = {name: dice.choice(choices) for name, choices in script.slots.items()}
            for line in scene:
                yield _played(line, roles, values)


def _played(line: Line, roles: Mapping[str, str], values: Mapping[str, str]) -> Line:
    return Line(roles[line.speaker], SLOT.sub(lambda slot: values[slot[1]], line.body), line.replies_to)


@cache
def script(language: Language) -> Script:
    text = files("embedded.seed").joinpath(f"scenes_{language}.txt").read_text(encoding="utf-8")
    head, *blocks = text.strip().split("\n\n")
    slots = {}
    for entry in head.splitlines():
        name, _, choices = entry.partition(": ")
        slots[name] = choices.split(" | ")
    return Script(slots, [[_line(line) for line in block.splitlines()] for block in blocks])


def _line(text: str) -> Line:
    head, _, body = text.partition(": ")
    speaker, _, back = head.partition("^")
    return Line(speaker, body, int(back or 0))
