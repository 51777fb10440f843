"""Pictures of the figures, PNG and SVG."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.scenes.small_rooms import LIMIT_MS
from bench.tables import DEPTHS

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "bench"
COLOURS = {"webchat": "#2f6f8f", "baseline": "#c0763a", "bare": "#8a8a8a"}


def draw(found: dict[str, Any], folder: Path) -> None:
    if "fanout" in found["webchat"]:
        _draw(folder / "fanout", lambda axes: _fanout(axes, found))
    if "small_rooms" in found["webchat"]:
        _draw(folder / "small_rooms", lambda axes: _small_rooms(axes, found))
    if "history" in found["webchat"]:
        _draw(folder / "history", lambda axes: _history(axes, found))


def _draw(stem: Path, paint: Any) -> None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    paint(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    plt.close(figure)


def _fanout(axes: Axes, found: dict[str, Any]) -> None:
    servers = [name for name in COLOURS if "fanout" in found.get(name, {})]
    sizes = [one["receivers"] for one in found["webchat"]["fanout"][1:]]
    for place, server in enumerate(servers):
        figures = [one for one in found[server]["fanout"] if one["receivers"] in sizes]
        spots = [sizes.index(one["receivers"]) + (place - 1) * 0.26 for one in figures]
        bars = axes.bar(spots, [one["gateway_cpu_s_per_million"] for one in figures], 0.24,
                        label=server, color=COLOURS[server])  # fmt: skip
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(range(len(sizes)), [f"{size} receivers" for size in sizes])
    axes.set_ylabel("CPU-seconds of the writers\nper million deliveries")
    axes.set_title("Fan-out in one room")


def _small_rooms(axes: Axes, found: dict[str, Any]) -> None:
    for server in ("webchat", "baseline"):
        steps = found.get(server, {}).get("small_rooms", {}).get("steps", ())
        rates = [step["rate"] for step in steps]
        waits = [step["receipt_p99_ms"] for step in steps]
        axes.plot(rates, waits, marker="o", label=server, color=COLOURS[server])
    axes.axhline(LIMIT_MS, color="#b03030", linewidth=0.8, linestyle="--", label=f"{LIMIT_MS:.0f} ms")
    axes.set_yscale("log")
    axes.set_xlabel("messages due per second")
    axes.set_ylabel("p99 due → receipt, ms")
    axes.set_title("Many small rooms")


def _history(axes: Axes, found: dict[str, Any]) -> None:
    for place, server in enumerate(name for name in COLOURS if "history" in found.get(name, {})):
        figures = found[server]["history"]
        depths = [depth for depth in DEPTHS if depth in figures]
        values = [figures[depth]["pages_per_s"] for depth in depths]
        spots = [index + (place - 0.5) * 0.36 for index in range(len(depths))]
        bars = axes.bar(spots, values, 0.34, label=server, color=COLOURS[server])
        axes.bar_label(bars, fmt="%.0f", fontsize=8)
    messages = found["webchat"]["history"]["messages"]
    axes.set_xticks(range(len(DEPTHS)), [what.replace(", ", "\n") for what in DEPTHS.values()])
    axes.set_ylabel("pages a second")
    axes.set_title(f"History of {messages:,} messages, pages of 50")
