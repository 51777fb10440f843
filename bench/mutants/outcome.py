"""Outcomes of planted bugs, and the list of equivalent mutants."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True)
class Mutant:
    """A planted bug. `line` is the source line without its indentation, `becomes` the same line with the bug."""

    file: str
    number: int
    line: str
    operator: str
    noticed: bool
    becomes: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: {self.operator}: {self.line}" + (
            f"\n     -> {self.becomes}" * bool(self.becomes)
        )


@dataclass(frozen=True)
class Equivalent:
    """An entry of the list. It covers the bugs of a line, or those of an operator, or the one that `becomes` a line."""

    file: str
    line: str
    reason: str
    operator: str = ""
    becomes: str = ""

    def covers(self, mutant: Mutant) -> bool:
        return (
            (self.file, self.line) == (mutant.file, mutant.line)
            and mutant.operator.startswith(self.operator)
            and self.becomes in {"", mutant.becomes}
        )


def load_equivalents(root: Path) -> list[Equivalent]:
    """Load the equivalent mutants. Raises SystemExit for an entry whose line is no longer in its file."""
    entries = [Equivalent(**entry) for entry in tomllib.loads(EQUIVALENT.read_text())["equivalent"]]
    stale = [one for one in entries if one.line not in _lines(root / one.file)]
    if stale:
        raise SystemExit("\n".join(f"equivalent.toml: {one.file} has no line `{one.line}`" for one in stale))
    return entries


def _lines(file: Path) -> set[str]:
    return {line.strip() for line in file.read_text().splitlines()} if file.exists() else set()


@dataclass(frozen=True)
class Score:
    """The result of one target."""

    target: str
    noticed: int
    missed: list[Mutant]
    equivalent: int

    @property
    def share(self) -> float:
        """The share of detectable bugs that were noticed, from 0 to 1."""
        total = self.noticed + len(self.missed)
        return self.noticed / total if total else 1.0


def score(target: str, mutants: Iterable[Mutant], equivalents: list[Equivalent]) -> Score:
    noticed, missed, equivalent = 0, [], 0
    for mutant in mutants:
        if mutant.noticed:
            noticed += 1
        elif any(one.covers(mutant) for one in equivalents):
            equivalent += 1
        else:
            missed.append(mutant)
    return Score(target, noticed, missed, equivalent)
