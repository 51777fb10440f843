"""argon2id in threads: a bounded number at a time and waiting, and the same time for unknown accounts."""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Unavailable

T = TypeVar("T")

LOW_PRIORITY = 10
"""The niceness of the threads: sign-ins wait for chats on the same cores, and not the reverse."""


@dataclass(frozen=True, kw_only=True)
class HashParameters:
    """The cost of a hash, and the limits on hashing and waiting at the same time."""

    time_cost: int
    memory_kib: int
    parallelism: int = 1
    workers: int = 2
    queue: int = 64
    wait_s: float = 5


class Hasher:
    def __init__(self, parameters: HashParameters) -> None:
        self._argon2 = PasswordHasher(
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
        )
        self._pool = ThreadPoolExecutor(parameters.workers, thread_name_prefix="argon2", initializer=_lower_priority)
        self._slots = asyncio.Semaphore(parameters.workers)
        self._wait_s, self._queue, self._waiting = parameters.wait_s, parameters.queue, 0
        self._dummy_hash = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._argon2.hash(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Check a password. None, for an account that does not exist, takes as long as a wrong password."""
        return await self._run(lambda: self._verify(password_hash or self._dummy_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than the current ones."""
        return self._argon2.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        await self._wait_for_slot()
        loop = asyncio.get_running_loop()
        future: Future[T] = self._pool.submit(work)
        # released when the thread ends: cancelling a request does not stop its thread
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._slots.release))
        return await asyncio.wrap_future(future)

    async def _wait_for_slot(self) -> None:
        if self._slots.locked() and self._waiting >= self._queue:
            raise Unavailable("Too many people are signing in right now.", retry_after=2)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unavailable("Too many people are signing in right now.", retry_after=2) from error
        finally:
            self._waiting -= 1


def _lower_priority() -> None:
    """Lower the priority of this thread. Linux has one for each thread; elsewhere it would be that of the process."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        lowered = max(LOW_PRIORITY, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, lowered)
