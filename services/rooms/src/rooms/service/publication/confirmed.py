"""Remembers up to which version the stream of each room is known to be published, so that sweeps need not ask Redis."""

from collections.abc import Collection, Iterator, Mapping

MAX_CONFIRMED_ROOMS = 100_000


class ConfirmedVersions:
    """The versions that Redis has confirmed to this process.

    It holds until Redis loses data or the epoch changes. Who notices that calls `forget`, which starts a new
    `generation`: a confirmation that was requested before and arrives later does not count.
    """

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self.generation = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def add(self, versions: Mapping[str, int], generation: int) -> None:
        """Confirm the versions of rooms. `generation` is that from before the request to Redis."""
        if generation != self.generation:
            return
        for room_id, version in versions.items():
            if version > self._versions.get(room_id, 0):
                self._versions[room_id] = version
        if len(self._versions) > MAX_CONFIRMED_ROOMS:
            self.forget()

    def select_unconfirmed(self, heads: Mapping[str, int]) -> dict[str, int]:
        """Return the rooms whose head is newer than what is confirmed."""
        return {room_id: head for room_id, head in heads.items() if self._versions.get(room_id, 0) < head}

    def versions_of(self, room_ids: Collection[str]) -> dict[str, int]:
        """Return the confirmed versions. Rooms without one are omitted."""
        return {room_id: self._versions[room_id] for room_id in room_ids if room_id in self._versions}

    def keep(self, room_ids: Collection[str]) -> None:
        """Drop all other rooms, which are idle."""
        self._versions = self.versions_of(room_ids)

    def forget(self) -> None:
        self._versions = {}
        self.generation += 1
