"""Contracts of social: profiles; friends and relationships for the gateway."""

import msgspec


class Profile(msgspec.Struct, kw_only=True):
    """A user's profile. `followed` is whether the caller follows the user."""

    user_id: str
    webchat_id: str
    display_name: str
    status_message: str
    avatar_url: str | None
    followed: bool


class FriendsRequest(msgspec.Struct):
    """Ask for the friends of several users; at most 1,000 per call."""

    user_ids: list[str]


class Friends(msgspec.Struct):
    """The profiles that a user follows. `revision` rises with every change of this list, including the profiles."""

    revision: int
    profiles: list[Profile]


class FriendLists(msgspec.Struct):
    users: dict[str, Friends]


class FriendRevisions(msgspec.Struct):
    """The revision of each user's friends, 0 for a user without any."""

    revisions: dict[str, int]


class RelationshipsRequest(msgspec.Struct):
    """Ask for the relationships of one user with others; at most 1,000 per call."""

    user_id: str
    other_ids: list[str]


class Relationships(msgspec.Struct):
    followed: list[str]
    """The users among the requested ones who follow the user or whom the user follows."""
    blocked_by: list[str]
    """The users among the requested ones who blocked the user."""
