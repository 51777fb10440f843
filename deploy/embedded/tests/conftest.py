"""Real instances of WebChat, each in a folder and on a port of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from shared.testing.servers import free_port

READY_SECONDS = 90


class Instance:
    """A runner in a process of its own, and what it printed."""

    def __init__(self, data: Path, port: int, **environment: str) -> None:
        self.data, self.port = data, port
        self.url = f"http://127.0.0.1:{port}"
        self.environment = _clean() | {"WEBCHAT_DATA": str(data), "WEBCHAT_PORT": str(port)} | environment
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end()

    def command(self, name: str) -> list[str]:
        return [sys.executable, "-P", "-m", "embedded", name]

    def launch(self, *, deaf: bool = False) -> Self:
        """Start it; `deaf` from a shell that ignores the signals, as scripts do with SIGINT in the background."""
        ignoring = ["sh", "-c", "trap '' INT TERM HUP; exec \"$@\"", "sh"] if deaf else []
        self.process = subprocess.Popen(
            [*ignoring, *self.command("run")],
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines += (line.rstrip("\n") for line in output)

    def ready(self) -> Self:
        wait_until(lambda: self.is_ready or self.process.poll() is not None, READY_SECONDS)
        assert self.is_ready, self.lines
        return self

    @property
    def is_ready(self) -> bool:
        return f"ready {self.url}" in self.lines

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send the signal; returns the seconds until the runner was gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        took = time.monotonic() - began
        self._reader.join(10)
        return took

    def run(self, name: str) -> subprocess.CompletedProcess[str]:
        """Another command of the runner with the same settings."""
        return subprocess.run(
            self.command(name),
            check=False,
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
        )

    def status(self) -> dict[str, Any]:
        return {row["name"]: row for row in json.loads(self.run("status").stdout)}

    def pid(self, name: str) -> int:
        return int((self.data / "run" / "pids" / name).read_text())

    @property
    def ports(self) -> dict[str, int]:
        return json.loads((self.data / "run" / "ports.json").read_text())

    def answers(self, path: str = "/api/version", port: int | None = None) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def _clean() -> dict[str, str]:
    """The environment without settings of WebChat that the person running the tests may have."""
    ours = ("WEBCHAT_", "DB_", "AWS_", "REDIS_", "S3_", "SESSION_", "AUTH_", "SOCIAL_", "ROOMS_", "MEDIA_", "CHAT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def wait_until(check: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def processes_in(data: Path) -> list[str]:
    """The command lines of all processes that work in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(data):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                found += [(entry / "cmdline").read_text().replace("\0", " ")] if state != "Z" else []
        except OSError:
            continue
    return found


Start = Callable[..., Instance]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Make instances that are gone after the test."""
    with ExitStack() as made:
        yield lambda name="data", **environment: made.enter_context(
            Instance(tmp_path / name, free_port(), **environment)
        )


@pytest.fixture(scope="session")
def webchat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """One instance for all tests that leave it as they found it."""
    with Instance(tmp_path_factory.mktemp("webchat") / "data", free_port(), RATE_LIMITS="off") as instance:
        yield instance.launch().ready()


@pytest.fixture
def browser(webchat: Instance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=webchat.url, trust_env=False) as client:
        yield client


@pytest.fixture
def signed_in(browser: httpx.Client) -> httpx.Client:
    """A browser of someone new."""
    name = f"t{time.time_ns() % 10**12}"
    account = {"email": f"{name}@example.org", "password": "honey-on-warm-paper-7", "webchat_id": name}
    answer = browser.post("/api/auth/signup", json=account | {"display_name": "Tester"})
    assert answer.status_code == 201, answer.text
    return browser
