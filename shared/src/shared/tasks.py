"""Background jobs: repeated for as long as the process runs, with a back-off after failures."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


async def thread_result(done: "asyncio.Future[T]") -> T:
    """Return the result of a thread. A cancelled caller also waits for the thread, which still uses its resources."""
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([done])
        raise


async def _forever(name: str, work: Callable[[], Awaitable[None]], pause: float, longest: float) -> None:
    delay = pause
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await work()
            delay = pause
        except Exception as error:  # noqa: BLE001 - a background job survives every error
            if asyncio.get_running_loop().time() - started > 60:
                delay = pause
            log.warning("%s failed, again in %.1f s: %r", name, delay, error)
            delay = min(max(delay, 0.1) * 2, longest)
        await asyncio.sleep(delay)


@asynccontextmanager
async def background(
    name: str, work: Callable[[], Awaitable[None]], *, pause: float = 0.1, longest: float = 10
) -> AsyncIterator[None]:
    """Call `work` repeatedly while the block runs, `pause` seconds apart; after failures up to `longest` seconds."""
    task = asyncio.create_task(_forever(name, work, pause, longest), name=name)
    try:
        yield
    finally:
        timeout = 0.05
        while not task.done():
            task.cancel()  # repeatedly: redis-py swallows a cancellation that arrives while it connects
            await asyncio.wait([task], timeout=timeout)
            timeout = min(timeout * 2, 0.5)
