"""An open account and an active session. Times are in milliseconds."""

import msgspec


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account, with the fields that never leave auth."""

    user_id: str
    email: str
    webchat_id: str
    display_name: str
    password_hash: str
    version: int


class ActiveSession(msgspec.Struct, frozen=True):
    """A session, without its secret, which is not stored."""

    session_id: str
    user_id: str
    created_at: int
    last_seen_at: int
    expires_at: int
    user_agent: str
    address: str
