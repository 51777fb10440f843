"""Names of Redis streams between services, and of channels of users."""


def service_stream(service: str) -> str:
    """Return the stream of the events that `service` publishes."""
    return f"events:{{{service}}}"


def dead_letters(service: str, group: str) -> str:
    return f"events:{{{service}}}:dead:{group}"


def user_channel(user_id: str) -> str:
    """Return the channel of change notifications for one user: sessions, rooms, friends, profiles."""
    return f"user:{{{user_id}}}"


def presence_channel(user_id: str) -> str:
    """Return the channel of notifications that a user's presence changed."""
    return f"presence:{{{user_id}}}"


def presence_key(user_id: str) -> str:
    """Return the sorted set of a user's connections: `connection@gateway` → expiry in milliseconds."""
    return f"presence:{{{user_id}}}:sockets"


def gateway_lease(gateway_id: str) -> str:
    """Return the key that exists while a gateway lives."""
    return f"gateway:{gateway_id}"
