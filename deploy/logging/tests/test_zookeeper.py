"""The shipped zoo.cfg with three real ZooKeepers: they form a quorum, and two of them survive a killed leader."""

import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from processes import free_port, wait_until

CONFIG = Path(__file__).parents[1] / "zookeeper" / "zoo.cfg"
JAR = Path("/usr/share/java/zookeeper.jar")
LOGGING_OF_DEBIAN = "/etc/zookeeper/conf_example"
MEMBERS = (1, 2, 3)
AGREES_WITHIN_S = 40
CREATE, GET_DATA = 1, 4

pytestmark = pytest.mark.skipif(
    not JAR.exists() or shutil.which("java") is None, reason="apt-get install zookeeper default-jre-headless"
)


def write(text: str) -> bytes:
    return struct.pack(">i", len(text)) + text.encode()


class Session:
    """A minimal ZooKeeper client that can write and read."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._ask(struct.pack(">iqiqi16s?", 0, 0, 10_000, 0, 16, b"", False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self._socket.recv(count - len(got))
            if not more:
                raise ConnectionError("ZooKeeper has closed the connection")
            got += more
        return got

    def _ask(self, request: bytes) -> bytes:
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        return self._read(*struct.unpack(">i", self._read(4)))

    def _call(self, kind: int, request: bytes) -> bytes:
        answer = self._ask(struct.pack(">ii", 1, kind) + request)
        _, _, error = struct.unpack(">iqi", answer[:16])
        assert error == 0, f"ZooKeeper answers {error}"
        return answer[16:]

    def create(self, path: str, data: str) -> None:
        for_all = struct.pack(">ii", 1, 31) + write("world") + write("anyone")
        self._call(CREATE, write(path) + write(data) + for_all + struct.pack(">i", 0))

    def get(self, path: str) -> str:
        answer = self._call(GET_DATA, write(path) + b"\0")
        (length,) = struct.unpack(">i", answer[:4])
        return answer[4 : 4 + length].decode()


class Ensemble:
    """Three ZooKeepers with the shipped file, changed only in paths and addresses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = {member: free_port() for member in MEMBERS}
        servers = {f"server.{member}": f"127.0.0.1:{free_port()}:{free_port()}" for member in MEMBERS}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for member in MEMBERS:
            home = folder / str(member)
            (home / "data").mkdir(parents=True)
            (home / "data" / "myid").write_text(str(member))
            here = {"dataDir": f"{home}/data", "dataLogDir": f"{home}/log", "clientPort": str(self.ports[member])}
            (home / "zoo.cfg").write_text(self._replaced(here | servers))

    def _replaced(self, values: dict[str, str]) -> str:
        text = CONFIG.read_text()
        for name, value in values.items():
            text, found = re.subn(rf"^{re.escape(name)}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
            assert found == 1, f"zoo.cfg has no {name}"
        return text

    def start(self, member: int) -> None:
        home = self._folder / str(member)
        java = ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", f"{LOGGING_OF_DEBIAN}:{JAR}",
                f"-Dzookeeper.log.dir={home}", "org.apache.zookeeper.server.quorum.QuorumPeerMain"]  # fmt: skip
        with (home / "out.log").open("ab") as out:
            self._processes[member] = subprocess.Popen([*java, str(home / "zoo.cfg")], stdout=out, stderr=out)

    def kill(self, member: int) -> None:
        self._processes[member].kill()
        self._processes.pop(member).wait(10)

    def close(self) -> None:
        for member in list(self._processes):
            self.kill(member)

    def mode(self, member: int) -> str:
        """Return `leader` or `follower`, or an empty string while it is not serving, like the health check."""
        try:
            with socket.create_connection(("127.0.0.1", self.ports[member]), timeout=5) as one:
                one.sendall(b"srvr")
                said = b"".join(iter(lambda: one.recv(4096), b"")).decode()
        except OSError:
            return ""
        found = re.search(r"^Mode: (\w+)$", said, re.MULTILINE)
        return found[1] if found else ""

    def modes(self) -> list[str]:
        return sorted(self.mode(member) for member in self._processes)


@contextmanager
def three(folder: Path) -> Iterator[Ensemble]:
    ensemble = Ensemble(folder)
    try:
        for member in MEMBERS:
            ensemble.start(member)
        yield ensemble
    finally:
        ensemble.close()


def test_two_members_survive_a_killed_leader_which_catches_up_after_its_restart(tmp_path: Path):
    with three(tmp_path) as ensemble:
        wait_until(lambda: ensemble.modes() == ["follower", "follower", "leader"], AGREES_WITHIN_S)
        (leader,) = (member for member in MEMBERS if ensemble.mode(member) == "leader")
        left = [member for member in MEMBERS if member != leader]
        with Session(ensemble.ports[left[0]]) as session:
            session.create("/before", "written by three")

        ensemble.kill(leader)
        wait_until(lambda: ensemble.modes() == ["follower", "leader"], AGREES_WITHIN_S)
        with Session(ensemble.ports[left[0]]) as session:
            session.create("/after", "written by two")
        with Session(ensemble.ports[left[1]]) as session:
            assert session.get("/before") == "written by three"

        ensemble.start(leader)
        wait_until(lambda: ensemble.modes() == ["follower", "follower", "leader"], AGREES_WITHIN_S)
        with Session(ensemble.ports[leader]) as session:
            assert session.get("/after") == "written by two"
