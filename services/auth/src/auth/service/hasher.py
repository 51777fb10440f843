"""argon2id in threads: a bounded number at a time and waiting, in fair turns, and as long for unknown accounts."""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Unavailable
from shared.fair_workers import Workers
from shared.tasks import thread_result

T = TypeVar("T")

TOO_MANY = "Too many people are signing in right now."
RESERVE = 2
"""The queue is this many times as long for origins that have no request in it."""
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
    """Hashes passwords. Requests of one origin, such as an address, wait for each other before those of others do."""

    def __init__(self, parameters: HashParameters) -> None:
        self._argon2 = PasswordHasher(
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
        )
        self._pool = ThreadPoolExecutor(parameters.workers, thread_name_prefix="argon2", initializer=_lower_priority)
        self._workers = Workers(
            parameters.workers,
            of_one=parameters.workers,
            waiting_of_one=max(1, parameters.queue // 4),
            wait_s=parameters.wait_s,
            too_many=TOO_MANY,
        )
        self._most = parameters.workers + parameters.queue
        self._dummy_hash = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str, *, origin: str) -> str:
        """Hash a password. Raises Unavailable if too many requests wait, of this origin or in all."""
        return await self._run(origin, lambda: self._argon2.hash(password))

    async def matches(self, password_hash: str | None, password: str, *, origin: str) -> bool:
        """Check a password. None, for an account that does not exist, takes as long as a wrong password.

        Raises Unavailable like `hash`.
        """
        return await self._run(origin, lambda: self._verify(password_hash or self._dummy_hash, password))

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

    async def _run(self, origin: str, work: Callable[[], T]) -> T:
        if self._is_full_for(origin):
            raise Unavailable(TOO_MANY, retry_after=2)
        async with self._workers.worker(origin):
            return await thread_result(asyncio.wrap_future(self._pool.submit(work)))

    def _is_full_for(self, origin: str) -> bool:
        """Return whether there are too many requests. Of an origin that has none, one may come for longer."""
        return self._workers.requests >= (self._most if self._workers.requests_of(origin) else RESERVE * self._most)


def _lower_priority() -> None:
    """Lower the priority of this thread. Linux has one for each thread; elsewhere it would be that of the process."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        lowered = max(LOW_PRIORITY, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, lowered)
