"""What the routes of /api/rooms are sent. Sizes of texts and lists are the domain's to check, for sockets alike."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import AfterValidator, BaseModel

from shared.contracts.rooms import DEFAULT_PAGE, MAX_PAGE, PageChoice, Role, RoomKind
from shared.ids import ID_PATTERN, parse_rfc3339

MAX_BODY = 64 * 1024

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Typed = Annotated[str, Query(max_length=1000, description="2 to 100 characters once they are normalised")]
RoomFilter = Annotated[str | None, Query(pattern=rf"^{ID_PATTERN}$", description="only in this room")]


class NewRoom(BaseModel):
    """Direct: with `user_id`. Group: with `title`, and perhaps `user_ids`."""

    kind: RoomKind
    user_id: str = ""
    title: str = ""
    user_ids: list[str] = []


class RoomChange(BaseModel):
    """What is left out stays as it is; `pinned_seq` null unpins."""

    title: str = ""
    muted: bool = False
    pinned_seq: int | None = None

    def of_room(self) -> dict[str, Any]:
        """What changes for everyone."""
        return self.model_dump(exclude_unset=True, include={"title", "pinned_seq"})


class Invitation(BaseModel):
    user_ids: list[str]


class RoleChange(BaseModel):
    role: Role


class NewMessage(BaseModel):
    client_id: str
    body: str = ""
    reply_to: int | None = None
    attachment_ids: list[str] = []
    mentions: list[str] = []


def _time(text: str) -> str:
    parse_rfc3339(text)
    return text


class Choice(BaseModel):
    """Which page: at most one of the five, the newest without."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    at: Annotated[str, AfterValidator(_time)] | None = None
    offset: int | None = None
    limit: int = DEFAULT_PAGE

    def choice(self) -> PageChoice:
        at = None if self.at is None else parse_rfc3339(self.at)
        return PageChoice(**{**self.model_dump(), "at": at})
