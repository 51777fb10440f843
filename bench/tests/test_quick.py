"""The quick run of the benchmark: every figure is produced and plausible. Their values do not matter.

socket.io is left out, because its packages are installed for the benchmark only, and MariaDB, which needs a second
stack. Their scenes are those of the other servers.
"""

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
pytestmark = pytest.mark.timeout(300)  # the first test waits for the run

MAY_BE_ZERO = {
    "lost", "errors", "cpu_s", "cpu_s_per_1000", "cpu_total_s", "gateway_bytes_per_connection", "complete",
    "nginx_bytes_per_connection", "gateway_cpu_s_per_million", "all_cpu_s_per_million", "committed_per_s", "held",
    "owner_cpu_ms_per_page", "all_cpu_ms_per_page", "reconnects", "cpu_s_per_sign_in", "cpu_s_per_mb",
    "send_path_s_per_1000", "observability_share", "observability_share_rounds", "bytes_per_connection",
    "all_bytes_per_connection", "resident_mb", "cpu_s_per_10000", "unfinished", "texts_per_s", "cpu_ms_per_text",
    "refused", "refused_by_reason", "load_shares_the_cores", "pinned", "cpu_s_per_million", "cpu_ms_per_connect",
    "cpu_ms_per_socket", "alone_cpu_s_per_minute", "rest_cpu_s_per_minute", "heartbeat_cpu_us", "load_cpu_per_s",
}  # fmt: skip
"""CPU is counted in hundredths of a second and may be zero in a quick run."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    command = [
        sys.executable,
        "-m",
        "bench",
        "--quick",
        "--all",
        "--without",
        "socketio",
        "mariadb",
        "--report",
        str(folder),
    ]
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
    alone = {"signins", "uploads", "resume", "observability", "two_cores", "crowd"}
    shared = {"memory", "idle", "fixed_rate", "fanout", "small_rooms", "history"}
    assert (set(ours), set(theirs)) == (alone | shared, shared)
    assert [len(server["fanout"]) for server in (ours, theirs, bare)] == [3, 2, 2]
    for server in (ours, theirs):
        assert [len(one["curve"]) for one in server["fanout"][-2:]] == [2, 1]
        assert len(server["small_rooms"]["curve"]) == 2
    for path, value in _numbers(found):
        unanswered = path[0] == "baseline" and path[-1].startswith("ack_")
        if path[0] == "aims" or unanswered:
            continue
        assert math.isfinite(value), path
        assert value > 0 or MAY_BE_ZERO & set(path), path
    assert ours["resume"]["complete"] == ours["resume"]["clients"]
    assert 0 < ours["crowd"]["lost_gateway"]["lost"] < ours["crowd"]["connections"]
    assert all(one["lost"] == 0 for one in ours["fanout"])
    assert {"webchat", "baseline"} <= set(found["aims"][0]["found"])
    assert all(aim["ratio"]["socketio"] is None for aim in found["aims"])


def test_the_report_names_every_scene_and_aim(report: Path) -> None:
    text = (report / "report.md").read_text()
    for words in ("fan-out, 20 receivers", "many small rooms", "idle connections", "newest page, HTTP", "sign-ins",
                  "uploads", "resume", "÷ baseline", "chat-gateway-1", "valkey",
                  "logs and metrics", "lose their gateway", "one core and two", "a fixed loop in pure"):  # fmt: skip
        assert words in text, words
    for name in ("fanout", "fanout_latency", "small_rooms_latency", "history"):
        plot = (report / f"{name}.svg").read_text()
        assert plot.startswith("<?xml")
        assert len(plot) > 5_000


def test_the_client_counts_frames_in_any_chunks() -> None:
    script = (
        "import asyncio\n"
        "from bench.client.socket import Socket\n"
        "async def main():\n"
        "    texts = []\n"
        "    socket = Socket('/', '', texts.append)\n"
        "    data = bytes.fromhex(__import__('sys').argv[1])\n"
        "    for at in range(0, len(data), 7):\n"
        "        socket.data_received(data[at:at + 7])\n"
        "    print(socket.frames, [len(text) for text in texts])\n"
        "asyncio.run(main())\n"
    )
    sizes = [0, 5, 125, 126, 300, 70_000]
    data = b"HTTP/1.1 101 X\r\nA: b\r\n\r\n" + b"".join(text_frame(b"x" * size) for size in sizes)
    data = data[: 2 * 1024 * 1024]
    run = [sys.executable, "-c", script, data[:60_000].hex()]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"5 {sizes[:5]}"
