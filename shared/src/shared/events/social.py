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


SocialEvent = UserBlocked | UserUnblocked
