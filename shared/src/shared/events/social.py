"""Facts of social that other services act on. `version` counts the changes between one pair of people."""

import msgspec


class UserBlocked(msgspec.Struct, tag="user.blocked", tag_field="topic", kw_only=True):
    user_id: str
    blocked_id: str
    version: int


class UserUnblocked(msgspec.Struct, tag="user.unblocked", tag_field="topic", kw_only=True):
    user_id: str
    blocked_id: str
    version: int


class ProfileRenamed(msgspec.Struct, tag="profile.renamed", tag_field="topic", kw_only=True):
    """The person has another display name. `version` counts the names of one person."""

    user_id: str
    display_name: str
    version: int


SocialEvent = UserBlocked | UserUnblocked
