"""The lower bound of fan-out: bytes from the sender are written to every receiver, unchanged and joined as received.

The first byte of a connection is its role: `r` receives, `s` sends prepared frames.
"""

import asyncio
import sys
from typing import cast

import uvloop

receivers: list[asyncio.Transport] = []


class Connection(asyncio.Protocol):
    _sends: bool | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._sends is None:
            self._sends, data = data[:1] == b"s", data[1:]
            if not self._sends:
                receivers.append(self._transport)
        if self._sends and data:
            for receiver in receivers:
                receiver.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport in receivers:
            receivers.remove(self._transport)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
