"""Plots of the figures as SVG."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.tables import CHATS, DEPTHS, LABELS, curves_of

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "bench"
COLOURS = {
    "webchat": "#2f6f8f", "mariadb": "#7fb3c8", "baseline": "#c0763a", "socketio": "#6a8f3a", "bare": "#8a8a8a",
}  # fmt: skip


def draw(found: dict[str, Any], folder: Path) -> None:
    ours = found.get("webchat", {})
    if "fanout" in ours:
        _draw(folder / "fanout", lambda axes: _fanout(axes, found))
        _draw(folder / "fanout_latency", lambda axes: _curve(axes, found, "fan-out", "Fan-out in one room"))
    if "small_rooms" in ours:
        _draw(folder / "small_rooms_latency", lambda axes: _curve(axes, found, "small rooms", "Many small rooms"))
    if "history" in ours:
        _draw(folder / "history", lambda axes: _history(axes, found))


def _draw(stem: Path, paint: Any) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    paint(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    plt.close(figure)


def _fanout(axes: Axes, found: dict[str, Any]) -> None:
    servers = [name for name in COLOURS if "fanout" in found.get(name, {})]
    sizes = [one["receivers"] for one in found["webchat"]["fanout"][1:]]
    width = 0.8 / len(servers)
    for place, server in enumerate(servers):
        figures = [one for one in found[server]["fanout"] if one["receivers"] in sizes]
        middle = (place - (len(servers) - 1) / 2) * width
        spots = [sizes.index(one["receivers"]) + middle for one in figures]
        values = [one.get("all_cpu_s_per_million", one["gateway_cpu_s_per_million"]) for one in figures]
        bars = axes.bar(spots, values, width * 0.9, label=LABELS[server], color=COLOURS[server])
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(range(len(sizes)), [f"{size} receivers" for size in sizes])
    axes.set_ylabel("CPU-seconds of everything that serves\nper million deliveries")
    axes.set_title("Fan-out in one room")


def _curve(axes: Axes, found: dict[str, Any], scene: str, title: str) -> None:
    """Draw the latency over the throughput. Beyond its capacity a server gets slower, but does not do more."""
    for server in CHATS:
        for name, points in curves_of(found.get(server, {})).items():
            if name.startswith(scene):
                rates = [point["texts_per_s"] for point in points]
                for share, style in (("p50", "-"), ("p99", ":")):
                    waits = [point[f"receipt_{share}_ms"] for point in points]
                    axes.plot(rates, waits, style, marker="o", markersize=3, label=f"{LABELS[server]}, {share}",
                              color=COLOURS[server])  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlabel("texts per second that all members receive in time")
    axes.set_ylabel("due → receipt, ms")
    axes.set_title(f"{title}, 10 % to 120 % of the capacity")


def _history(axes: Axes, found: dict[str, Any]) -> None:
    servers = [name for name in COLOURS if "history" in found.get(name, {})]
    width = 0.8 / len(servers)
    for place, server in enumerate(servers):
        figures = found[server]["history"]
        depths = [depth for depth in DEPTHS if depth in figures]
        values = [figures[depth]["pages_per_s"] for depth in depths]
        spots = [index + (place - (len(servers) - 1) / 2) * width for index in range(len(depths))]
        bars = axes.bar(spots, values, width * 0.9, label=LABELS[server], color=COLOURS[server])
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    messages = found["webchat"]["history"]["messages"]
    axes.set_xticks(range(len(DEPTHS)), [what.replace(", ", "\n") for what in DEPTHS.values()])
    axes.set_ylabel("pages a second")
    axes.set_title(f"History of {messages:,} messages, pages of 50")
