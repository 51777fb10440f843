"""An open account and a session that stands, as the use cases see them. Times in milliseconds."""

import msgspec


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True):
    """With what only auth may see of it."""

    user_id: str
    email: str
    webchat_id: str
    display_name: str
    password_hash: str
    version: int


class StandingSession(msgspec.Struct, frozen=True):
    """Without its secret, which nobody keeps."""

    session_id: str
    user_id: str
    created_at: int
    last_seen_at: int
    expires_at: int
    user_agent: str
    address: str
