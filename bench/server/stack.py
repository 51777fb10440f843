"""The servers under load, each in a temporary folder and pinned to the server core."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.cores import SERVING, pinned
from bench.usage import Usage, usage_of
from shared.testing.servers import free_port, valkey, wait_for_port

START_SECONDS = 150
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Server:
    """A server on a port of 127.0.0.1, and its processes."""

    port: int
    pids: dict[str, int]
    data: Path = field(default=Path())
    ports: dict[str, int] = field(default_factory=dict)

    def usage(self) -> Usage:
        return usage_of(self.pids)


@contextmanager
def webchat(data: Path, **settings: str) -> Iterator[Server]:
    """The embedded stack with rate limits off: nginx, Valkey, S3, four services, one gateway for each core."""
    port = free_port()
    own = {"RATE_LIMITS": "off", "CANARY": "off", "WEBCHAT_PORT": str(port), "WEBCHAT_DATA": str(data)}
    environment = os.environ | own | {"HASH_QUEUE": "512", "HASH_PATIENCE_S": "60"} | settings
    command = [sys.executable, "-P", "-m", "embedded"]
    with pinned(SERVING):
        process = subprocess.Popen([*command, "run"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        _wait_for_line(process, f"ready http://127.0.0.1:{port}")
        answer = subprocess.run([*command, "status"], env=environment, check=True, capture_output=True)
        rows = json.loads(answer.stdout)
        ports = {row["name"]: row["port"] for row in rows if "port" in row}
        yield Server(port, {row["name"]: row["pid"] for row in rows}, data, ports)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def baseline(data: Path) -> Iterator[Server]:
    """The tutorial's chat, one process, with its own Valkey."""
    port = free_port()
    data.mkdir(parents=True)
    with pinned(SERVING), valkey(data) as redis_port:
        own = {"BASELINE_DB": str(data / "chat.db"), "BASELINE_REDIS": f"redis://127.0.0.1:{redis_port}"}
        app = ["uvicorn", "bench.baseline.app:app", "--port", str(port), "--log-level", "warning"]
        with _running([sys.executable, "-m", *app], port, own) as process:
            yield Server(port, {"baseline": process.pid, **_valkey_of(redis_port)}, data)


@contextmanager
def bare() -> Iterator[Server]:
    """The bare loop."""
    port = free_port()
    with pinned(SERVING), _running([sys.executable, "-m", "bench.bare", str(port)], port, {}) as process:
        yield Server(port, {"bare": process.pid})


def _valkey_of(port: int) -> dict[str, int]:
    """Return the pid of the Valkey that this process has just started."""
    import psutil  # noqa: PLC0415 - only here

    for child in psutil.Process().children():
        if str(port) in child.cmdline():
            return {"valkey": child.pid}
    return {}


@contextmanager
def _running(command: list[str], port: int, own: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, env=os.environ | own, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_for_line(process: "subprocess.Popen[str]", wanted: str) -> None:
    """Wait for a line. A thread keeps reading the output, so that the process never blocks on a full pipe."""
    seen: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            seen.append(line)
            if line.strip() == wanted:
                ready.set()

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + START_SECONDS
    while not ready.wait(0.2):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the stack did not become ready:\n{''.join(seen)}")
