"""What social answers: profiles to everyone, friends and visibility to the gateway."""

import msgspec


class Profile(msgspec.Struct, kw_only=True):
    """A person as `followed` by the one who asks sees them."""

    user_id: str
    webchat_id: str
    display_name: str
    status_message: str
    avatar_url: str | None
    followed: bool


class FriendsRequest(msgspec.Struct):
    """Friends of several users; at most 1,000 a call."""

    user_ids: list[str]


class Friends(msgspec.Struct):
    """Those a user follows. `revision` rises with every change of what the user sees here, profiles included."""

    revision: int
    profiles: list[Profile]


class FriendLists(msgspec.Struct):
    users: dict[str, Friends]


class FriendRevisions(msgspec.Struct):
    """Revision per user; a user without one is at 0."""

    revisions: dict[str, int]


class RelationshipsRequest(msgspec.Struct):
    """What stands between one user and others; at most 1,000 a call."""

    user_id: str
    other_ids: list[str]


class Relationships(msgspec.Struct):
    followed: list[str]
    """Those who follow the user or are followed by them."""
    blocked_by: list[str]
    """Those who blocked the user."""
