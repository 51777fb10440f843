"""The quick run of the bench: that every figure comes about and can be true. What they are worth, it does not ask."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.roomlog.frames import text_frame

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)  # whichever comes first waits for the run

MAY_BE_ZERO = {
    "lost", "errors", "cpu_s", "cpu_s_per_1000", "cpu_total_s", "gateway_bytes_per_connection", "complete",
    "nginx_bytes_per_connection", "gateway_cpu_s_per_million", "all_cpu_s_per_million", "committed_per_s", "held",
    "owner_cpu_ms_per_page", "all_cpu_ms_per_page", "came_again", "cpu_s_per_sign_in", "cpu_s_per_mb",
    "send_path_s_per_1000", "telling_share", "telling_share_rounds",
}  # fmt: skip
"""CPU is counted in hundredths of a second, and in a quick run there may be none."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    command = [sys.executable, "-m", "bench", "--quick", "--report", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _numbers(figures: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(figures, dict):
        for name, value in figures.items():
            yield from _numbers(value, (*path, name))
    elif isinstance(figures, list):
        for value in figures:
            yield from _numbers(value, path)
    elif isinstance(figures, int | float):
        yield path, figures


def test_every_figure_is_there_and_plausible(report: Path) -> None:
    found = json.loads((report / "report.json").read_text())
    ours, theirs, bare = found["webchat"], found["baseline"], found["bare"]
    alone = {"memory", "signins", "uploads", "resume", "telling"}
    assert set(ours) == alone | {"idle", "fanout", "small_rooms", "history"}
    assert set(theirs) == {"idle", "fanout", "small_rooms", "history"}
    assert [len(server["fanout"]) for server in (ours, theirs, bare)] == [3, 1, 2]
    for path, value in _numbers(found):
        unanswered = path[0] == "baseline" and path[-1].startswith("ack_")
        if path[0] == "aims" or unanswered:
            continue
        assert math.isfinite(value), path
        assert value > 0 or MAY_BE_ZERO & set(path), path
    assert ours["resume"]["complete"] == ours["resume"]["clients"]
    assert all(one["lost"] == 0 for one in ours["fanout"])
    assert found["aims"]


def test_the_report_names_every_scene_and_aim(report: Path) -> None:
    text = (report / "report.md").read_text()
    for words in ("fan-out, 20 receivers", "many small rooms", "idle connections", "newest page, HTTP", "sign-ins",
                  "uploads", "resume", "× the bare loop", "× the baseline", "chat-gateway-1", "valkey",
                  "logs and metrics"):  # fmt: skip
        assert words in text, words
    for name in ("fanout", "small_rooms", "history"):
        plot = (report / f"{name}.svg").read_text()
        assert plot.startswith("<?xml")
        assert len(plot) > 5_000


def test_the_client_counts_frames_however_they_are_cut() -> None:
    script = (
        "import asyncio\n"
        "from bench.client.wire import Wire\n"
        "async def main():\n"
        "    texts = []\n"
        "    wire = Wire('/', '', texts.append)\n"
        "    data = bytes.fromhex(__import__('sys').argv[1])\n"
        "    for at in range(0, len(data), 7):\n"
        "        wire.data_received(data[at:at + 7])\n"
        "    print(wire.frames, [len(text) for text in texts])\n"
        "asyncio.run(main())\n"
    )
    sizes = [0, 5, 125, 126, 300, 70_000]
    data = b"HTTP/1.1 101 X\r\nA: b\r\n\r\n" + b"".join(text_frame(b"x" * size) for size in sizes)
    data = data[: 2 * 1024 * 1024]
    run = [sys.executable, "-c", script, data[:60_000].hex()]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"5 {sizes[:5]}"
