"""The request schemas of /api/rooms. The domain checks the sizes of texts and lists, because sockets send them too."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from shared.contracts.limits import DEFAULT_PAGE, MAX_PAGE, MAX_USER_IDS
from shared.contracts.rooms import PageChoice, Role, RoomKind
from shared.ids import ID_PATTERN, parse_rfc3339
from shared.web.schemas import documented, integer, line

MAX_BODY_BYTES = 64 * 1024

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
SearchText = Annotated[str, Query(max_length=1000, description="2 to 100 characters after normalisation"), line(2, 100)]
RoomFilter = Annotated[
    Annotated[str, documented(pattern=f"^{ID_PATTERN}$")] | SkipJsonSchema[None],
    Query(pattern=rf"^{ID_PATTERN}$", description="only in this room"),
]
PageSeq = Annotated[int, integer()] | SkipJsonSchema[None]
Title = Annotated[str, line(1, 100)]
UserIds = Annotated[list[str], Field(json_schema_extra={"maxItems": MAX_USER_IDS})]


class NewRoom(BaseModel):
    """A direct room requires `user_id`. A group requires `title` and may have `user_ids`."""

    kind: RoomKind
    user_id: str = ""
    title: Title = ""
    user_ids: UserIds = []


class RoomChange(BaseModel):
    """Omitted fields do not change. A `pinned_seq` of null unpins."""

    title: Title = ""
    muted: bool = False
    pinned_seq: Annotated[int, integer()] | None = None

    def shared_changes(self) -> dict[str, Any]:
        """Return the changes that all members see."""
        return self.model_dump(exclude_unset=True, include={"title", "pinned_seq"})


class Invitation(BaseModel):
    user_ids: UserIds


class RoleChange(BaseModel):
    role: Role


def _time(text: str) -> str:
    parse_rfc3339(text)
    return text


class PageParameters(BaseModel):
    """Selects a page by at most one of the first five parameters. Without them it is the newest page."""

    before: PageSeq = None
    after: PageSeq = None
    around: PageSeq = None
    at: Annotated[str, AfterValidator(_time), documented(format="date-time")] | SkipJsonSchema[None] = None
    offset: Annotated[int, integer(0)] | SkipJsonSchema[None] = None
    limit: Annotated[int, integer(1, MAX_PAGE)] = DEFAULT_PAGE

    def choice(self) -> PageChoice:
        at = None if self.at is None else parse_rfc3339(self.at)
        return PageChoice(**{**self.model_dump(), "at": at})
