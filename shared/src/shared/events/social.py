"""Events of social that other services consume. `version` counts the changes of one ordered pair of users."""

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
    """The user changed their display name. `version` counts the names of one user."""

    user_id: str
    display_name: str
    version: int


SocialEvent = UserBlocked | UserUnblocked
