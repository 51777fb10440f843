"""Questions that many connections ask at once, in one call: what comes while a call is under way goes in the next.

So at rest nothing waits, and when hundreds come back at once the other services see a few calls. An answer is never
older than the question: a call that was under way already does not answer it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class DataLoader(Generic[T]):
    """`ask` takes at most `most` keys; keys that it does not answer have no answer."""

    def __init__(self, ask: Callable[[list[str]], Awaitable[Mapping[str, T]]], *, most: int) -> None:
        self._ask, self._most = ask, most
        self._wanted: dict[str, asyncio.Future[T | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def find(self, key: str) -> T | None:
        """Raises what `ask` raises."""
        answer = self._wanted.setdefault(key, asyncio.get_running_loop().create_future())
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_on())
        return await asyncio.shield(answer)

    async def _ask_on(self) -> None:
        try:
            while self._wanted:
                await self._ask_some()
        finally:
            self._asking = None

    async def _ask_some(self) -> None:
        answers = {key: self._wanted.pop(key) for key in list(islice(self._wanted, self._most))}
        try:
            found = await self._ask(list(answers))
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            for answer in answers.values():
                answer.set_exception(error)
                answer.exception()  # those who asked may be gone
        else:
            for key, answer in answers.items():
                answer.set_result(found.get(key))
