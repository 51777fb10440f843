"""What auth answers: users to everyone, tokens, keys and session checks to the other services."""

from typing import Any

import msgspec


class User(msgspec.Struct, kw_only=True):
    """The signed-in person, as only that person sees it."""

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
    """Which of these sessions still stand? At most 1,000 a call."""

    session_ids: list[str]


class ActiveSessions(msgspec.Struct):
    """The user of each session that stands; the others are gone."""

    users: dict[str, User]


class UsersRequest(msgspec.Struct):
    """Ask for the accounts behind user ids; at most 1,000 a call."""

    user_ids: list[str]


class Account(msgspec.Struct, kw_only=True):
    """What the other services may know of an account."""

    user_id: str
    webchat_id: str
    display_name: str
    version: int


class Accounts(msgspec.Struct):
    """The open accounts among those asked for; unknown and closed ones are left out."""

    accounts: list[Account]
