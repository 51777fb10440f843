"""A port in front of a server, which a test closes and opens, or lets hang, to make the server unavailable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.testing.servers import free_port


class Forwarder:
    """Forwards connections to `port` to another port of 127.0.0.1."""

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    @property
    def count(self) -> int:
        """The number of connected clients."""
        return len(self._connections)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    def close(self) -> None:
        """Close all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for writer in self._connections:
            writer.transport.abort()

    def hang(self) -> None:
        """Accept connections and bytes, but pass nothing on until `resume`."""
        self._passing.clear()

    def resume(self) -> None:
        self._passing.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            behind_reader, behind = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(self._copy(reader, behind), self._copy(behind_reader, writer))
        finally:
            self._connections.discard(writer)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # closed by `close` or by the other side
        finally:
            writer.close()


@asynccontextmanager
async def forwarding(target: int) -> AsyncIterator[Forwarder]:
    """Yield an open forwarder to a port of 127.0.0.1."""
    forwarder = Forwarder(target)
    await forwarder.open()
    yield forwarder
    forwarder.close()
