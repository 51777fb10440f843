"""The report as Markdown."""

from collections.abc import Iterable, Iterator
from typing import Any

from bench.aims import aims_of, further_receiver_cpu

Row = list[str]
DEPTHS = {
    "newest": "newest page, HTTP", "deep": "deep page, HTTP",
    "socket_newest": "newest page, socket", "socket_deep": "deep page, socket",
}  # fmt: skip


def markdown(found: dict[str, Any]) -> str:
    """Return the report with all tables for which there are figures."""
    ours, rivals = found["webchat"], [(name, found[name]) for name in ("baseline", "bare") if name in found]
    parts = [
        f"# Benchmark\n\n{found['machine']}\n",
        _section("Aims", ["aim", "wanted", "found", ""], (aim.as_row() for aim in aims_of(found))),
        _section("Figures", ["scene", "server", "figure", "CPU-seconds"], _figures(found)),
        _section("Rate in many small rooms", ["server", "due/s", "ack p99 ms", "receipt p99 ms", ""],
                 (row for name in ("webchat", "baseline") for row in _steps(name, found.get(name, {})))),
        _section("CPU-seconds of each process", ["scene", "server", "seconds"], _cpu([("webchat", ours), *rivals])),
    ]  # fmt: skip
    return "\n".join(part for part in parts if part)


def _section(title: str, head: Row, rows: Iterable[Row]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"## {title}\n", "| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines, ""])


def _figures(found: dict[str, Any]) -> Iterator[Row]:
    for server in ("webchat", "baseline", "bare"):
        scenes = found.get(server, {})
        few = scenes.get("fanout", ())[:1] if server == "webchat" else ()
        for one in scenes.get("fanout", ()):
            further = (
                f"; each further receiver {further_receiver_cpu(few[0], one):.2f}" if few and one != few[0] else ""
            )
            yield [f"fan-out, {one['receivers']} receivers", server, _fanout(one), _fanout_cpu(one) + further]
        for name in ("small_rooms", "history", "idle", "memory", "signins", "uploads", "resume", "observability"):
            if name in scenes:
                yield from _LINES[name](server, scenes[name])


def _fanout(one: dict[str, Any]) -> str:
    at = f" at {one['paced_messages_per_s']:.0f} messages/s" if "paced_messages_per_s" in one else ""
    return (
        f"{one['deliveries_per_s']:,.0f} deliveries/s, {one['frames_per_write']:.1f} frames a write; "
        f"p50 {one['receipt_p50_ms']:.1f} ms, p99 {one['receipt_p99_ms']:.1f} ms{at}"
    )


def _fanout_cpu(one: dict[str, Any]) -> str:
    everything = f", all {one['all_cpu_s_per_million']:.2f}" if "all_cpu_s_per_million" in one else ""
    return f"writers {one['gateway_cpu_s_per_million']:.2f}{everything} / million"


def _small_rooms(server: str, one: dict[str, Any]) -> Iterator[Row]:
    best = one["best"]
    cpu = f"{sum(best['cpu_s_per_1000'].values()):.2f} / thousand"
    waits = f"ack p99 {best['ack_p99_ms']:.0f} ms, " if server == "webchat" else ""
    figure = f"{best['committed_per_s']:,.0f} messages/s; {waits}receipt p99 {best['receipt_p99_ms']:.0f} ms"
    yield ["many small rooms", server, figure, cpu]


def _history(server: str, one: dict[str, Any]) -> Iterator[Row]:
    for depth, what in DEPTHS.items():
        if depth in one:
            cpu = f"{one[depth]['all_cpu_ms_per_page']:.2f} / thousand, owner {one[depth]['owner_cpu_ms_per_page']:.2f}"
            figure = f"{one[depth]['pages_per_s']:,.0f} pages/s"
            yield [f"history of {one['messages']:,}, {what}", server, figure, cpu]


def _idle(server: str, one: dict[str, Any]) -> Iterator[Row]:
    cpu = f"{sum(one['cpu_s'].values()) / max(1, one['messages']) * 1000:.2f} / thousand"
    yield ["idle", server, f"p50 {one['receipt_p50_ms']:.1f} ms, p99 {one['receipt_p99_ms']:.1f} ms", cpu]


def _memory(server: str, one: dict[str, Any]) -> Iterator[Row]:
    size = f"gateways {one['gateway_bytes_per_connection'] / 1000:.1f} kB, "
    size += f"nginx {one['nginx_bytes_per_connection'] / 1000:.1f} kB a connection"
    yield [f"{one['connections']:,} idle connections", server, size, f"{sum(one['cpu_s'].values()):.2f}"]


def _signins(server: str, one: dict[str, Any]) -> Iterator[Row]:
    cpu = f"{one['cpu_s_per_sign_in'] * 1000:.1f} / thousand"
    yield ["sign-ins", server, f"{one['sign_ins_per_s']:.1f} a second", cpu]


def _uploads(server: str, one: dict[str, Any]) -> Iterator[Row]:
    if "skipped" in one:
        yield ["uploads", server, f"skipped: {one['skipped']}", ""]
    else:
        figure = f"{one['mb_per_s']:.1f} MB/s ({one['files']} files)"
        yield ["uploads", server, figure, f"{one['cpu_s_per_mb'] * 1000:.1f} / thousand MB"]


def _resume(server: str, one: dict[str, Any]) -> Iterator[Row]:
    figure = f"{one['complete']} complete after {one['all_complete_s']:.2f} s, half after {one['p50_s']:.2f} s"
    figure += f"; {one['reconnects']} reconnects"
    scene = f"{one['clients']} clients resume {one['missed']} events"
    yield [scene, server, figure, f"{one['cpu_total_s']:.2f}"]


def _observability(server: str, one: dict[str, Any]) -> Iterator[Row]:
    rounds = one["observability_share_rounds"]
    figure = f"{one['observability_share'] * 100:.1f} % of the send path's CPU; the middle half of {rounds['count']} "
    figure += f"rounds is {rounds['low'] * 100:.1f} to {rounds['high'] * 100:.1f}; metrics alone, by count, "
    figure += f"{one['metrics_share_by_count'] * 100:.1f} %"
    cpu = " and ".join(f"{one[side]['send_path_s_per_1000']:.3f}" for side in ("observability", "silent"))
    yield [f"logs and metrics, and without, {one['rate']:.0f} messages/s", server, figure, f"{cpu} / thousand"]


_LINES = {
    "small_rooms": _small_rooms, "history": _history, "idle": _idle, "memory": _memory, "signins": _signins,
    "uploads": _uploads, "resume": _resume, "observability": _observability,
}  # fmt: skip


def _steps(server: str, scenes: dict[str, Any]) -> Iterator[Row]:
    for step in scenes.get("small_rooms", {}).get("steps", ()):
        held = "within the limit" if step["held"] else "above the limit"
        acked = f"{step['ack_p99_ms']:.0f}" if server == "webchat" else "–"
        yield [server, f"{step['rate']:.0f}", acked, f"{step['receipt_p99_ms']:.0f}", held]


def _cpu(servers: list[tuple[str, dict[str, Any]]]) -> Iterator[Row]:
    for server, scenes in servers:
        for name, figures in scenes.items():
            for one in figures if isinstance(figures, list) else _pieces(figures):
                if "cpu_s" in one:
                    used = ", ".join(f"{process} {cpu:.2f}" for process, cpu in one["cpu_s"].items() if cpu >= 0.01)
                    yield [one.get("piece", name), server, used]


def _pieces(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """A scene of two parts gives two lines."""
    if "newest" in figures:
        return [figures[depth] | {"piece": f"history, {what}"} for depth, what in DEPTHS.items() if depth in figures]
    if "best" in figures:
        return [figures["best"] | {"piece": "small_rooms, highest rate held"}]
    return [figures]
