"""Outcomes as lines and as a table."""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from bench.fairness.attacks import ATTACKS, NOTHING
from bench.fairness.judge import FLOOR_S, MAX_RATIO, Comparison, Outcome, Sample

WIDTH = max(map(len, ATTACKS))
RATES = ("frames", "requests", "sockets")
"""Counts that are given per second. Others are given as they are."""
SHOWN = 4
"""Errors in a line, at most, the most frequent first."""


def achieved(counts: Mapping[str, int], seconds: float) -> str:
    """Describe what the attacker did and how it was answered."""
    words = [f"{counts[name] / seconds:,.0f} {name}/s" for name in RATES if counts.get(name)]
    if counts.get("bytes"):
        words.append(f"{counts['bytes'] / seconds / 1e6:,.1f} MB/s")
    others = (name for name in sorted(counts) if name not in (*RATES, "bytes"))
    return ", ".join([*words, *(f"{name} × {counts[name]:,}" for name in others)]) or "nothing"


def errors(outcome: Outcome) -> str:
    most = outcome.attacked.errors.most_common(SHOWN)
    shown = ", ".join(f"{name} × {count}" for name, count in most)
    return f"{outcome.attacked.errors.total()} ({shown})" if most else "0"


def line(outcome: Outcome) -> str:
    verdict = "fair" if outcome.is_fair else "UNFAIR"
    worst = "; ".join(map(_compared, outcome.unfair or [outcome.worst]))
    late = f", recovered after {outcome.recovered_s:.0f} s" if outcome.recovered_s >= 1 else ""
    noticed = f"p99: {worst}  errors {errors(outcome)}{late}"
    return f"{outcome.attack:<{WIDTH}}  {verdict:<6}  {noticed}  | {_did(outcome)} | {outcome.busiest}"


def _did(outcome: Outcome) -> str:
    return achieved(outcome.counts, outcome.seconds)


def _compared(one: Comparison) -> str:
    return f"{one.action} {_ms(one.quiet_s)} → {_ms(one.attacked_s)} ms (× {_ratio(one)})"


def quiet_line(quiet: Sample) -> str:
    words = (f"{action} {_both(quiet, action)}" for action in quiet.times)
    return f"{'quiet':<{WIDTH}}  p50 / p99 in ms: {', '.join(words)}"


def markdown(outcomes: Sequence[Outcome], quiet: Sample, people: int, machine: str, command: str) -> str:
    """Return the tables with their date and machine: the quiet figures, the attacks, and the p99 of each action."""
    now = datetime.now(UTC)
    return "\n".join([
        f"{now:%Y-%m-%d %H:%M} UTC, `{command}`, {people} ordinary people. {machine}",
        "",
        *_table(
            ["attack", "", "worst action", "p99 quiet", "p99 attacked", "ratio", "errors of others", "recovered"],
            [_cells(one) for one in outcomes],
        ),
        "",
        *_table(["attack", "what the attacker did", "busiest"], [_efforts(one) for one in outcomes]),
        "",
        *_table(
            ["p50 / p99 in ms", *quiet.times],
            [["quiet", *_each(quiet, quiet)], *([f"`{one.attack}`", *_each(one.attacked, quiet)] for one in outcomes)],
        ),
        "",
    ])  # fmt: skip


def _each(sample: Sample, quiet: Sample) -> list[str]:
    """Return p50 and p99 of each action of the quiet time."""
    return [_both(sample, action) for action in quiet.times]


def _both(sample: Sample, action: str) -> str:
    return f"{_ms(sample.percentile_of(action, 0.5))} / {_ms(sample.percentile_of(action, 0.99))}"


def _cells(one: Outcome) -> list[str]:
    worst = one.worst
    times = [worst.action, _ms(worst.quiet_s), _ms(worst.attacked_s), _ratio(worst)]
    return [f"`{one.attack}`", "fair" if one.is_fair else "**unfair**", *times, errors(one), f"{one.recovered_s:.1f} s"]


def _efforts(one: Outcome) -> list[str]:
    return [f"`{one.attack}`", f"{ATTACKS[one.attack][0]}: {_did(one)}", one.busiest]


def _table(head: Collection[str], rows: Collection[Collection[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _row(cells: Collection[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ms(seconds: float) -> str:
    return "–" if math.isnan(seconds) else f"{seconds * 1000:.0f}"


def _ratio(one: Comparison) -> str:
    return "–" if math.isnan(one.ratio) else f"{one.ratio:.1f}"


def summary(outcomes: Sequence[Outcome]) -> str:
    unfair = [one.attack for one in outcomes if not one.is_fair]
    rule = f"p99 at most {MAX_RATIO:g} × the quiet one or {FLOOR_S * 1000:g} ms, no error"
    if not unfair:
        return f"fair under all {len(outcomes)}: {rule}"
    busy = f"; `{NOTHING}` is unfair too, so this machine is too busy to judge" if NOTHING in unfair else ""
    return f"unfair under {len(unfair)} of {len(outcomes)} ({', '.join(unfair)}){busy}; the rule: {rule}"
