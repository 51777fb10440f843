"""The client's figures and aims as Markdown."""

from typing import Any


def markdown(found: dict[str, Any]) -> str:
    first, enter, scroll = found["first_screen"], found["enter"], found["scroll"]
    size, warm, own, nodes = found["script_bytes"], first["warm_ms"], enter["own_ms"], scroll["most_nodes"]
    frames = f"{_wait(scroll['frame_ms'])}; {scroll['over_50_ms']} of {scroll['frames']} over 50 ms"
    rows = [
        ("scripts of the first load", "≤ 150 kB", f"{size / 1000:.0f} kB", size <= 150_000),
        ("first screen, first visit", "", _wait(first["cold_ms"]), None),
        ("first screen, from the cache", "< 1,000 ms", _wait(warm), warm["p50"] < 1000),
        ("Enter → own message shown", "≤ 50 ms", _wait(own), own["p99"] <= 50),
        ("Enter → shown to the other user", "", _wait(enter["other_ms"]), None),
        (f"nodes in a room of {found['messages']:,}", "< 3,000", f"{nodes:,}", nodes < 3000),
        ("frames while scrolling back", "none over 50 ms", frames, scroll["over_50_ms"] == 0),
    ]
    lines = [f"| {what} | {aim} | {value} | {_met(met)} |" for what, aim, value, met in rows]
    head = "# The client\n\nChromium on the load core, all servers on the other; one user at a time.\n"
    return "\n".join([head, "| figure | aim | found | |", "|---|---|---|---|", *lines, ""])


def _wait(summary: dict[str, float]) -> str:
    return f"p50 {summary['p50']:.0f} ms, p99 {summary['p99']:.0f} ms"


def _met(met: bool | None) -> str:
    return {True: "met", False: "not met", None: ""}[met]
