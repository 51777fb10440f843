"""The keys of a room in Redis. All contain the epoch.

They share a hash tag, so that one script may access all of them in a cluster.
"""


def log_key(epoch: str, room_id: str) -> str:
    """Return the key of the stream with the room's newest events; entry ids are `<version>-0`."""
    return f"room:{{{room_id}}}:{epoch}:log"


def live_channel(epoch: str, room_id: str) -> str:
    """Return the sharded channel on which the room's events are published."""
    return f"room:{{{room_id}}}:{epoch}:live"


def page_key(epoch: str, room_id: str) -> str:
    """Return the key of the cached page of the newest messages."""
    return f"room:{{{room_id}}}:{epoch}:page"
