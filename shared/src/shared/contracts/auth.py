"""Contracts of auth: the public view of users; tokens, keys, sessions and accounts for other services."""

from typing import Any

import msgspec


class User(msgspec.Struct, kw_only=True):
    """The signed-in user, as only this user sees it."""

    user_id: str
    email: str
    webchat_id: str
    display_name: str


class ServiceTokenRequest(msgspec.Struct, kw_only=True):
    service: str
    secret: str
    audience: str


class ServiceToken(msgspec.Struct):
    token: str
    expires_at: float
    """Unix seconds."""


class SigningKeys(msgspec.Struct):
    keys: list[dict[str, Any]]
    """Public JWKs (RFC 7517)."""


class SessionCheck(msgspec.Struct):
    """Ask which of these sessions are active; at most 1,000 per call."""

    session_ids: list[str]


class ActiveSessions(msgspec.Struct):
    """The user of each active session; other sessions are left out."""

    users: dict[str, User]


class RevocationsRequest(msgspec.Struct):
    """Ask which sessions were revoked since the `until` of an earlier answer, or 0 for the first request."""

    since: int


class RevokedSession(msgspec.Struct, frozen=True):
    """`replaced`: the user signed in again in the same browser, so the client keeps its data and reconnects."""

    session_id: str
    user_id: str
    replaced: bool = False


class Revocations(msgspec.Struct):
    """Sessions that were revoked since then, and those that were revoked shortly before, again."""

    sessions: list[RevokedSession]
    until: int
    """When the sessions were read, in milliseconds."""
    complete: bool
    """False if there may be more: too many were revoked, or the last answer is too old."""


class UsersRequest(msgspec.Struct):
    """Ask for accounts by user id; at most 1,000 per call."""

    user_ids: list[str]


class Account(msgspec.Struct, kw_only=True):
    """An account, as other services see it."""

    user_id: str
    webchat_id: str
    display_name: str
    version: int


class Accounts(msgspec.Struct):
    """The requested accounts that are open; unknown and closed ones are left out."""

    accounts: list[Account]
