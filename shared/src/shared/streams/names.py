"""Names of the streams between services and of the channels of users."""


def service_stream(service: str) -> str:
    """The stream of the facts that `service` publishes."""
    return f"events:{{{service}}}"


def dead_letters(service: str, group: str) -> str:
    return f"events:{{{service}}}:dead:{group}"


def user_channel(user_id: str) -> str:
    """What concerns one user wherever it is connected: revoked sessions, changed rooms, friends and profiles."""
    return f"user:{{{user_id}}}"


def presence_channel(user_id: str) -> str:
    """Hints that a user came or went, for those who watch it."""
    return f"presence:{{{user_id}}}"


def presence_key(user_id: str) -> str:
    """Sorted set of one user's sockets: `gateway:connection` → expiry in milliseconds."""
    return f"presence:{{{user_id}}}:sockets"
