"""Measurements without assertions, printed at the end of the run."""

LINES: list[str] = []
"""Lines of this process. A worker hands them to the controller when it ends."""


def record(line: str) -> None:
    LINES.append(line)
