"""Events of auth. `version` counts the changes of one account; consumers ignore older versions than they know."""

import msgspec


class UserRegistered(msgspec.Struct, tag="user.registered", tag_field="topic", kw_only=True):
    user_id: str
    webchat_id: str
    display_name: str
    version: int
    at: int


class UserClosed(msgspec.Struct, tag="user.closed", tag_field="topic", kw_only=True):
    """The account was closed. All services remove its personal data."""

    user_id: str
    version: int
    at: int


AuthEvent = UserRegistered | UserClosed
