"""The keys of a room in Redis: all share its hash tag, so that one script may touch them; all carry the epoch."""


def log_key(epoch: str, room_id: str) -> str:
    """The stream: a run of the room's newest events, entry id `<version>-0`."""
    return f"room:{{{room_id}}}:{epoch}:log"


def live_channel(epoch: str, room_id: str) -> str:
    """The sharded channel on which the room's events are published."""
    return f"room:{{{room_id}}}:{epoch}:live"


def page_key(epoch: str, room_id: str) -> str:
    """The cached page of the newest messages."""
    return f"room:{{{room_id}}}:{epoch}:page"
