"""A TCP proxy that can hold traffic at a chosen point, so that a process can be killed exactly there."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.testing.servers import free_port

POLL_S = 0.02


@dataclass
class Proxy:
    """A proxy that breaks connections on demand.

    From the first match of `hold` in a client's data, it drops data of that connection: the request (`held` is
    "request") or the answer ("answer"). `alter` changes the data of servers. While it is `partitioned`,
    nothing passes in either direction and no connection is closed.
    """

    target: Callable[[], int]
    listen: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    hold: Callable[[bytes], bool] | None = None
    alter: Callable[[bytes], bytes] | None = None
    held: str = "request"
    partitioned: bool = False
    triggered: threading.Event = field(default_factory=threading.Event)

    def hold_next(self, marker: bytes, held: str) -> None:
        self.triggered.clear()
        self.held = held
        self.hold = lambda data: marker in data

    def release(self) -> None:
        self.hold = None
        self.partitioned = False

    async def _healed(self) -> None:
        """Return when there is no partition. Data sent in the meantime is delivered then, as with TCP."""
        while self.partitioned:
            await asyncio.sleep(POLL_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._healed()
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target())
        except OSError:
            writer.close()
            return
        muted = asyncio.Event()
        up = asyncio.create_task(self._up(reader, up_writer, muted))
        down = asyncio.create_task(self._down(up_reader, writer, muted))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        for one in (writer, up_writer):
            one.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event) -> None:
        swallow = False
        while data := await reader.read(1 << 20):
            await self._healed()
            if self.hold is not None and self.hold(data):
                swallow = self.held == "request"
                muted.set()
                self.triggered.set()
            if not swallow:
                writer.write(data)
                await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event) -> None:
        while data := await reader.read(1 << 20):
            await self._healed()
            if not muted.is_set():
                writer.write(data if self.alter is None else self.alter(data))
                await writer.drain()

    async def serve(self) -> None:
        async with await asyncio.start_server(self._serve, self.listen, self.port) as server:
            await server.serve_forever()


@contextmanager
def running(*proxies: Proxy) -> Iterator[None]:
    """Run the proxies in an event loop in a thread, so that they outlive the loops of single tests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = [asyncio.run_coroutine_threadsafe(proxy.serve(), loop) for proxy in proxies]
    try:
        yield
    finally:
        for one in serving:
            one.cancel()

        async def settle() -> None:
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(settle(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
