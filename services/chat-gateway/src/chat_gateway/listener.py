"""A connection that receives the messages of sharded channels from one Redis server."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from redis.crc import key_slot

from shared.redis.client import Access, Address
from shared.redis.push import PushConnection, connect_push

OnMessage = Callable[[bytes, str, Any], None]
"""Called with the kind of a message (`smessage`, `ssubscribe`, `sunsubscribe`), its channel, and its data."""


class Listener:
    """A connection to one Redis server that subscribes to channels.

    `channels` includes channels whose subscription is not confirmed yet. With `by_slot`, each command names channels of
    one slot only, as a cluster requires.
    """

    def __init__(self, address: Address, connection: PushConnection, *, by_slot: bool) -> None:
        self.address, self._connection, self._by_slot = address, connection, by_slot
        self.channels: set[str] = set()

    def subscribe(self, channels: Sequence[str]) -> None:
        """Send the command; the server confirms each channel. Raises ConnectionResetError if the connection is lost."""
        self.channels.update(channels)
        self._send("SSUBSCRIBE", channels)

    def unsubscribe(self, channels: Sequence[str]) -> None:
        self.channels.difference_update(channels)
        self._send("SUNSUBSCRIBE", channels)

    async def watch(self, ping_seconds: float) -> None:
        """Ping the server when it is silent for this long. Raises if the connection is lost, or silent after a ping."""
        is_pinged = False
        while True:
            is_silent = await self._connection.is_silent(ping_seconds)
            if is_silent and is_pinged:
                raise TimeoutError("the subscription's connection does not answer")
            if is_silent:
                self._connection.send("PING")
            is_pinged = is_silent

    def close(self) -> None:
        self._connection.close()

    def _send(self, command: str, channels: Sequence[str]) -> None:
        for group in self._groups(channels):
            self._connection.send(command, *group)

    def _groups(self, channels: Sequence[str]) -> list[list[str]]:
        """Group channels that one command may name: in a cluster, channels of the same slot."""
        if not self._by_slot:
            return [list(channels)]
        groups: dict[int, list[str]] = defaultdict(list)
        for channel in channels:
            groups[key_slot(channel.encode())].append(channel)
        return list(groups.values())


async def open_listener(address: Address, access: Access, on_message: OnMessage, *, by_slot: bool) -> Listener:
    """Connect to a server. Raises one of `REDIS_DOWN`."""

    def on_push(message: list[Any]) -> None:
        kind, channel, data = message
        on_message(kind, channel.decode() if channel else "", data)

    return Listener(address, await connect_push(address, access, on_push), by_slot=by_slot)
