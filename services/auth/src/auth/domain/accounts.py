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


class SessionLifetime(msgspec.Struct, frozen=True):
    """The longest times that a session lasts: without use, and in all."""

    unused_ms: int
    longest_ms: int

    def expiry(self, created_at: int, used_at: int) -> int:
        return min(used_at + self.unused_ms, created_at + self.longest_ms)

    def extended(self, session: "ActiveSession", now: int) -> int:
        """Return the expiry of a session that is used now. Cookies rely on it, so it is never earlier than before."""
        return max(session.expires_at, self.expiry(session.created_at, now))


class ActiveSession(msgspec.Struct, frozen=True):
    """A session, without its secret, which is not stored."""

    session_id: str
    user_id: str
    created_at: int
    last_seen_at: int
    expires_at: int
    user_agent: str
    address: str
