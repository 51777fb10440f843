"""What the routes of /api/social are sent, with the limits of every field."""

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field

from shared.ids import ID_PATTERN, is_id
from shared.text import one_line
from social.domain.names import typed_initials

MAX_BODY = 16 * 1024
MAX_PROFILES = 200

Limit = Annotated[int, Query(ge=1, le=100)]


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


class ProfileChange(BaseModel):
    """What is left out stays as it is; only the avatar can be taken away with null."""

    display_name: Annotated[
        str, Field(max_length=200), AfterValidator(one_line), AfterValidator(_not_empty), Field(max_length=60)
    ] = ""
    status_message: Annotated[str, Field(max_length=1000), AfterValidator(one_line), Field(max_length=200)] = ""
    avatar_attachment_id: Annotated[str, Field(pattern=f"^{ID_PATTERN}$")] | None = None

    def columns(self) -> dict[str, str | None]:
        given = self.model_dump(exclude_unset=True)
        if "avatar_attachment_id" in given:
            given["avatar_id"] = given.pop("avatar_attachment_id")
        return given


def _split(ids: str) -> list[str]:
    found = [one.strip() for one in ids.split(",") if one.strip()]
    if len(found) > MAX_PROFILES:
        raise ValueError(f"at most {MAX_PROFILES} ids")
    if not all(map(is_id, found)):
        raise ValueError("must be ids with commas between them")
    return found


UserIds = Annotated[str, Query(max_length=MAX_PROFILES * 40), AfterValidator(_split)]
"""Ids with commas between them; a list once it is checked."""


def _two_at_least(typed: str) -> str:
    if len(typed_initials(typed) or typed) < 2:
        raise ValueError("at least 2 characters")
    return typed


Typed = Annotated[str, Query(max_length=64, description="at least 2 characters"), AfterValidator(_two_at_least)]
"""A keyboard makes one character of two consonants in a row: those are 2."""
