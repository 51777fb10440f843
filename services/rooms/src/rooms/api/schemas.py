"""The request schemas of /api/rooms. The domain checks the sizes of texts and lists, because sockets send them too."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import AfterValidator, BaseModel

from shared.contracts.limits import DEFAULT_PAGE, MAX_PAGE
from shared.contracts.rooms import PageChoice, Role, RoomKind
from shared.ids import ID_PATTERN, parse_rfc3339

MAX_BODY_BYTES = 64 * 1024

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
SearchText = Annotated[str, Query(max_length=1000, description="2 to 100 characters after normalisation")]
RoomFilter = Annotated[str | None, Query(pattern=rf"^{ID_PATTERN}$", description="only in this room")]


class NewRoom(BaseModel):
    """A direct room requires `user_id`. A group requires `title` and may have `user_ids`."""

    kind: RoomKind
    user_id: str = ""
    title: str = ""
    user_ids: list[str] = []


class RoomChange(BaseModel):
    """Omitted fields do not change. A `pinned_seq` of null unpins."""

    title: str = ""
    muted: bool = False
    pinned_seq: int | None = None

    def shared_changes(self) -> dict[str, Any]:
        """Return the changes that all members see."""
        return self.model_dump(exclude_unset=True, include={"title", "pinned_seq"})


class Invitation(BaseModel):
    user_ids: list[str]


class RoleChange(BaseModel):
    role: Role


def _time(text: str) -> str:
    parse_rfc3339(text)
    return text


class PageParameters(BaseModel):
    """Selects a page by at most one of the first five parameters. Without them it is the newest page."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    at: Annotated[str, AfterValidator(_time)] | None = None
    offset: int | None = None
    limit: int = DEFAULT_PAGE

    def choice(self) -> PageChoice:
        at = None if self.at is None else parse_rfc3339(self.at)
        return PageChoice(**{**self.model_dump(), "at": at})
