"""Measurements without assertions, printed at the end of the run."""

LINES: list[str] = []
"""Those of this process; a worker hands its lines to the controller when it ends."""


def record(line: str) -> None:
    LINES.append(line)
