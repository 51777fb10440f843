"""Outcomes as lines and as a table."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from checker import Verdict

from chaos.trial import Outcome

COLUMNS = ("acked", "stored", "received", "lost", "repeated", "reordered", "gaps", "unread", "stall")


def cells(verdict: Verdict) -> list[str]:
    """Return the counts in the order of COLUMNS. `received` is one number, or the minimum and maximum of followers."""
    least, most = min(verdict.received), max(verdict.received)
    received = f"{least}" if least == most else f"{least}-{most}"
    counts = (verdict.lost, verdict.repeated, verdict.reordered, verdict.gaps, verdict.unread_drift)
    stall = f"{verdict.longest_stall:.1f} s"
    return [f"{verdict.acknowledged}", f"{verdict.stored}", received, *map(str, counts), stall]


def line(outcome: Outcome, width: int) -> str:
    name = f"{outcome.fault.name:<{width}}"
    if outcome.verdict is None:
        return f"{name}  left out: {outcome.left_out}" if outcome.left_out else f"{name}  FAILED: {outcome.failed}"
    counts = "  ".join(f"{column} {cell}" for column, cell in zip(COLUMNS, cells(outcome.verdict), strict=True))
    where = "; ".join(outcome.verdict.where)
    return f"{name}  {counts}  {f'BROKEN ({where})' if outcome.is_broken else 'kept'}"


def markdown(outcomes: Sequence[Outcome], target: str, seconds: float) -> str:
    """Return the table with its date and machine."""
    now = datetime.now(UTC)
    lines = [
        f"{now:%Y-%m-%d %H:%M} UTC, {target}, {seconds:g} s of traffic per fault, on {machine()}.",
        "",
        _row(["fault", *COLUMNS]),
        _row(["---", *["--:"] * len(COLUMNS)]),
        *(_row([f"`{one.fault.name}`", *_cells_or_reason(one)]) for one in outcomes),
    ]
    reasons = [f"- `{one.fault.name}` was left out: {one.left_out}." for one in outcomes if one.left_out]
    failures = [f"- `{one.fault.name}` failed: {one.failed}." for one in outcomes if one.failed]
    return "\n".join([*lines, *([""] if reasons or failures else []), *reasons, *failures]) + "\n"


def _cells_or_reason(outcome: Outcome) -> Iterable[str]:
    return ["–"] * len(COLUMNS) if outcome.verdict is None else cells(outcome.verdict)


def _row(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB"
