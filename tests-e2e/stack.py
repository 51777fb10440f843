"""The embedded stack, started on free ports."""

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from shared.testing.plugin import note_start
from shared.testing.servers import free_port

CLIENT = Path(os.environ.get("WEBCHAT_CLIENT", Path(__file__).parents[1] / "web" / "dist"))
"""The built web client that the stack serves."""

RESTART_SECONDS = 30
CHEAP_PASSWORDS = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "1024"}
"""Cheap hashing, because the tests sign up hundreds of users; auth's own tests use the real costs."""


ALIKE = {"RATE_LIMITS": "off", "CANARY": "off", "WEBCHAT_GATEWAYS": "2"}


@dataclass
class Stack:
    """The public address of a stack, and its processes for faults."""

    url: str
    data: Path
    environment: dict[str, str] = field(default_factory=dict)

    def pid(self, name: str) -> int:
        """Return the process ID of a program, waiting while it restarts."""
        deadline = time.monotonic() + RESTART_SECONDS
        while (pid := self.running_pid(name)) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} is not running")
            time.sleep(0.02)
        return pid

    def running_pid(self, name: str) -> int | None:
        """Return the process ID, or None while the program restarts.

        It is never 0: a signal to process 0 goes to all processes of the sender's group.
        """
        pid = (self.data / "run" / "pids" / name).read_text().strip()
        return int(pid) if pid and _works_in(int(pid), self.data) else None

    def port(self, name: str) -> int:
        ports: dict[str, int] = json.loads((self.data / "run" / "ports.json").read_text())
        return ports[name]

    def signal(self, name: str, number: signal.Signals) -> int:
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def kill(self, name: str) -> None:
        """Send SIGKILL and return when the process has ended. It may not have restarted yet."""
        pid = self.signal(name, signal.SIGKILL)
        deadline = time.monotonic() + RESTART_SECONDS
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} survived SIGKILL")
            time.sleep(0.01)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop the process with SIGSTOP while the block runs: it exists but does not answer."""
        pid = self.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def logs(self) -> dict[str, str]:
        """Return the log so far of each program, third-party ones included."""
        files = [file for file in (self.data / "logs").rglob("*") if file.is_file()]
        texts = {file.name.partition(".")[0]: "" for file in files}
        for file in files:
            texts[file.name.partition(".")[0]] += file.read_text()
        return texts

    def redis(self) -> Redis:
        secrets = json.loads((self.data / "secrets.json").read_text())
        return Redis(host="127.0.0.1", port=self.port("valkey"), password=secrets["REDIS_PASSWORD"])

    @contextmanager
    def holding_rooms(self) -> Iterator[None]:
        """Lock rooms' database in another process while the block runs."""
        path = self.data / "db" / "rooms.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")

    def operate(self, service: str, *words: str) -> str:
        """Run an operator's command of a service on this stack's data."""
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "embedded", "operate", service, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


def _works_in(pid: int, data: Path) -> bool:
    """Return whether the process is alive and works in `data`: process IDs alone are reused."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" and Path(f"/proc/{pid}/cwd").readlink().is_relative_to(data.resolve())
    except OSError:
        return False


def _wait_for_ready(process: "subprocess.Popen[str]", url: str, seconds: float) -> None:
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    seen: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            continue
        if line is None:
            break
        seen.append(line)
        if line.strip() == f"ready {url}":
            return
    raise AssertionError(f"the stack did not become ready:\n{''.join(seen)}")


@contextmanager
def embedded(data: Path, **settings: str) -> Iterator[Stack]:
    """Run a separate stack in `data`. Rate limits and the canary are off unless the settings enable them."""
    port = int(settings.get("WEBCHAT_PORT") or free_port())
    own = {"WEBCHAT_PORT": str(port), "WEBCHAT_DATA": str(data)}
    environment = os.environ | CHEAP_PASSWORDS | ALIKE | own | settings
    note_start("embedded stack")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "embedded", "run"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for_ready(process, url, 120)
        yield Stack(url, data, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
