"""The report as Markdown."""

from collections.abc import Iterable, Iterator
from typing import Any

from bench.aims import OURS, PEERS, Outcome, further_receiver_cpu, outcomes_of

Row = list[str]
LABELS = {
    "webchat": "WebChat", "mariadb": "WebChat on MariaDB", "baseline": "baseline", "socketio": "socket.io",
    "bare": "bare loop",
}  # fmt: skip
CHATS = (*OURS, *PEERS)
DEPTHS = {
    "newest": "newest page, HTTP", "deep": "deep page, HTTP",
    "socket_newest": "newest page, socket", "socket_deep": "deep page, socket",
}  # fmt: skip


def markdown(found: dict[str, Any]) -> str:
    """Return the report with all tables for which there are figures."""
    outcomes = outcomes_of(found)
    costs = ["figure", "unit", *(LABELS[name] for name in CHATS), *(f"÷ {LABELS[name]}" for name in PEERS)]
    parts = [
        f"# Benchmark\n\n{found['machine']}\n\n{_speed(found['machine_speed'])}\n",
        _section("Aims", ["figure", "unit", "aim", *(LABELS[name] for name in OURS)], map(_aim, outcomes)),
        _section("Beside the peers", costs, (_compared(outcome) for outcome in outcomes if outcome.is_compared)),
        _section("Figures", ["scene", "server", "figure", "CPU-seconds"], _figures(found)),
        _section("Throughput against latency",
                 ["scene", "server", "capacity", "texts/s", "p50 ms", "p99 ms", "CPU-s / 10,000"], _curves(found)),
        _section("CPU-seconds of each process", ["scene", "server", "seconds"],
                 _cpu([(name, found[name]) for name in LABELS if name in found])),
    ]  # fmt: skip
    return "\n".join(part for part in parts if part)


def _speed(speed: dict[str, float]) -> str:
    first, last = speed["before_cpu_s"], speed["after_cpu_s"]
    return f"The machine: a fixed loop in pure Python takes {first:.3f} CPU-s before the run and {last:.3f} after it."


def _section(title: str, head: Row, rows: Iterable[Row]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"## {title}\n", "| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines, ""])


def _aim(outcome: Outcome) -> Row:
    aim, sign = outcome.aim, "≤" if outcome.aim.at_most else "≥"
    limit = "" if aim.limit is None else f"{sign} {aim.limit:g}"
    return [aim.what, aim.unit, limit, *(_met(outcome, server) for server in OURS)]


def _met(outcome: Outcome, server: str) -> str:
    if server not in outcome.figures:
        return ""
    met = {True: ", met", False: ", **not met**", None: ""}[outcome.is_met(server)]
    return f"{outcome.figures[server]:.2f}{met}"


def _compared(outcome: Outcome) -> Row:
    figures = [f"{outcome.figures[name]:.2f}" if name in outcome.figures else "" for name in CHATS]
    ratios = [outcome.ratio(peer) for peer in PEERS]
    return [outcome.aim.what, outcome.aim.unit, *figures, *("" if one is None else f"{one:.2f} ×" for one in ratios)]


def _figures(found: dict[str, Any]) -> Iterator[Row]:
    for server in LABELS:
        scenes = found.get(server, {})
        few = scenes.get("fanout", ())[:1] if server in OURS else ()
        for one in scenes.get("fanout", ()):
            further = (
                f"; each further receiver {further_receiver_cpu(few[0], one):.2f}" if few and one != few[0] else ""
            )
            yield [f"fan-out, {one['receivers']} receivers", server, _fanout(one), _fanout_cpu(one) + further]
        for name, lines in _LINES.items():
            if name in scenes:
                yield from lines(server, scenes[name])


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
    cpu = f"{best['cpu_s_per_10000']:.2f} / 10,000"
    waits = f"ack p99 {best['ack_p99_ms']:.0f} ms, " if server != "baseline" else ""
    figure = f"{best['committed_per_s']:,.0f} messages/s; {waits}receipt p99 {best['receipt_p99_ms']:.0f} ms"
    yield ["many small rooms", server, figure, cpu]
    full = one["full_speed"]
    figure = f"{full['texts_per_s']:,.0f} messages/s"
    yield ["many small rooms at full speed", server, figure, f"{full['cpu_s_per_10000']:.2f} / 10,000"]


def _history(server: str, one: dict[str, Any]) -> Iterator[Row]:
    for depth, what in DEPTHS.items():
        if depth in one:
            cpu = f"{one[depth]['all_cpu_ms_per_page']:.2f} / thousand, owner {one[depth]['owner_cpu_ms_per_page']:.2f}"
            figure = f"{one[depth]['pages_per_s']:,.0f} pages/s"
            yield [f"history of {one['messages']:,}, {what}", server, figure, cpu]


def _idle(server: str, one: dict[str, Any]) -> Iterator[Row]:
    cpu = f"{sum(one['cpu_s'].values()) / max(1, one['messages']) * 1000:.2f} / thousand"
    yield ["idle", server, f"p50 {one['receipt_p50_ms']:.1f} ms, p99 {one['receipt_p99_ms']:.1f} ms", cpu]


def _fixed_rate(server: str, one: dict[str, Any]) -> Iterator[Row]:
    scene = f"{one['members']} members, {one['rate']:.0f} texts/s"
    figure = f"p50 {one['receipt_p50_ms']:.1f} ms, p99 {one['receipt_p99_ms']:.1f} ms"
    yield [scene, server, figure, f"{one['cpu_s_per_10000']:.2f} / 10,000"]


def _memory(server: str, one: dict[str, Any]) -> Iterator[Row]:
    size = f"gateways {one['gateway_bytes_per_connection'] / 1024:.1f} KiB, "
    size += f"nginx {one['nginx_bytes_per_connection'] / 1024:.1f} KiB a connection"
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


def _two_cores(server: str, one: dict[str, Any]) -> Iterator[Row]:
    load = "the load shares the cores" if one["load_shares_the_cores"] else "the load has a core of its own"
    for name in ("fanout", "small_rooms"):
        gain, unit = one[name], "deliveries" if name == "fanout" else "texts"
        rates = " and ".join(f"{gain[side]['units_per_s']:,.0f}" for side in ("one", "two"))
        figure = f"{rates} {unit}/s: {gain['ratio']:.2f} ×, {gain['ratio_without_load']:.2f} × without the load's CPU"
        cpu = " and ".join(f"{gain[side]['cpu_s_per_million']:.2f}" for side in ("one", "two"))
        yield [f"one core and two, {name.replace('_', ' ')}; {load}", server, figure, f"{cpu} / million {unit}"]


def _crowd(server: str, one: dict[str, Any]) -> Iterator[Row]:
    size = f"{one['all_mb']:,.0f} MB in all: "
    size += ", ".join(f"{name} {megabytes:,.0f}" for name, megabytes in one["resident_mb"].items())
    growth = f"; grown by {one['all_bytes_per_connection'] / 1024:.1f} KiB a connection"
    scene = f"{one['connections']:,} idle connections of {one['accounts']:,} users, {one['edges']} nginx"
    yield [scene, server, size + growth, f"{one['cpu_ms_per_connect']:.2f} ms / connect"]
    rest = f"{one['rest_cpu_s_per_minute']:.2f} CPU-s a minute, {one['alone_cpu_s_per_minute']:.2f} without connections"
    yield ["the same at rest", server, rest, f"{one['heartbeat_cpu_us']:.0f} µs / connection and heartbeat"]
    lost = one["lost_gateway"]
    figure = f"{lost['returned']:,} returned, all live after {lost['all_live_s']:.1f} s "
    figure += f"(p50 {lost['p50_s']:.1f}, p99 {lost['p99_s']:.1f}); "
    figure += f"{lost['refused']} refused attempts"
    if lost["refused_by_reason"]:
        figure += f" ({', '.join(f'{reason} {number}' for reason, number in lost['refused_by_reason'].items())})"
    cpu = f"{lost['cpu_total_s']:.2f}; {lost['cpu_ms_per_socket']:.2f} ms / socket"
    yield [f"{lost['lost']:,} of them lose their gateway", server, figure, cpu]


_LINES = {
    "small_rooms": _small_rooms, "history": _history, "idle": _idle, "memory": _memory, "signins": _signins,
    "uploads": _uploads, "resume": _resume, "observability": _observability, "fixed_rate": _fixed_rate,
    "two_cores": _two_cores, "crowd": _crowd,
}  # fmt: skip


def _curves(found: dict[str, Any]) -> Iterator[Row]:
    for server in CHATS:
        for name, points in curves_of(found.get(server, {})).items():
            for point in points:
                waits = [f"{point[f'receipt_{share}_ms']:.1f}" for share in ("p50", "p99")]
                rate, cost = f"{point['texts_per_s']:,.0f}", f"{point['cpu_s_per_10000']:.2f}"
                yield [name, server, f"{point['share']:.0%}", rate, *waits, cost]


def curves_of(scenes: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the curves of throughput against latency, by scene, that have more than one point."""
    rooms = [one for one in scenes.get("fanout", ()) if len(one["curve"]) > 1]
    curves = {f"fan-out, {one['receivers']} receivers": one["curve"] for one in rooms}
    return curves | ({"small rooms": scenes["small_rooms"]["curve"]} if "small_rooms" in scenes else {})


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
    if "lost_gateway" in figures:
        return [figures, figures["lost_gateway"] | {"piece": "crowd, lost gateway"}]
    if "best" in figures:
        return [figures["best"] | {"piece": "small_rooms, highest rate held"}]
    return [figures]
