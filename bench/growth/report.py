"""The report as Markdown: figures, and ratios to the first row of the same table."""

from collections.abc import Iterable
from typing import Any

from bench.growth.measure import Figures

HEAD = ["server CPU, ms", "pages", "from disk", "p50, ms", "CPU ratio", "pages ratio"]


def render(machine: str, found: dict[str, Any]) -> str:
    stages: dict[str, dict[str, Figures]] = found["rooms"]
    parts = [f"# Growth\n\n{machine} At the end the tables have {found['size']:.1f} GB, without the long history.\n"]
    for name in next(iter(stages.values())):
        rows = [(rooms, figures[name]) for rooms, figures in stages.items()]
        parts += [f"## {name[0].upper()}{name[1:]}, as rooms grow\n", *_table("rooms", rows)]
    depth: dict[str, Figures] = found["depth"]
    parts += [f"## A room of {found['messages']:,} messages\n"]
    for kind in ("a page", "a search"):
        parts += _table(kind, [(name, one) for name, one in depth.items() if name.startswith(kind)])
    small = list(stages.values())[-1]["a send"]
    parts += _table("a send to", [("a small room", small), ("the long one", depth["a send"])])
    return "\n".join(parts)


def _table(first: str, rows: Iterable[tuple[str, Figures]]) -> list[str]:
    rows = list(rows)
    base = rows[0][1]
    lines = [f"| {' | '.join([first, *HEAD])} |", "|---" * (len(HEAD) + 1) + "|"]
    for name, one in rows:
        figures = [f"{one['cpu_ms']:.3f}", f"{one['pages']:.1f}", f"{one['from_disk']:.2f}", f"{one['p50_ms']:.2f}"]
        ratios = [f"{one[key] / max(base[key], 1e-9):.2f}" for key in ("cpu_ms", "pages")]
        lines.append(f"| {' | '.join([name, *figures, *ratios])} |")
    return [*lines, ""]
