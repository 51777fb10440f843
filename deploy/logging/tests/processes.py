"""Helpers for tests with real processes."""

import socket
import time
from collections.abc import Callable

LOOKS_EVERY_S = 0.02


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait_until(holds: Callable[[], object], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"condition not met within {timeout_s} s"
        time.sleep(LOOKS_EVERY_S)
