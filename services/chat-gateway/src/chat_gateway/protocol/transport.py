"""The port between connections and sockets: `transport.socket.Socket` implements it, and so do recorders in tests."""

from typing import Protocol


class Transport(Protocol):
    """The socket of a connection, as the hub, presence and the drivers see it."""

    def push(self, data: bytes) -> None:
        """Write live events immediately, or close the socket if too many bytes are waiting."""

    def push_droppable(self, data: bytes) -> None:
        """Write live events, or drop them if many bytes are waiting."""

    def enqueue(self, data: bytes) -> None:
        """Write data in order, when the data enqueued before it has drained."""

    async def send(self, data: bytes) -> None:
        """Enqueue data and wait until it is written. Raises ConnectionResetError if the socket closes before."""

    def wake(self) -> None:
        """Process received frames soon, never within this call. Call this when frames no longer have to wait."""

    def close(self, code: int, reason: str) -> None:
        """Write what is enqueued if possible, and close the socket."""
