"""Request bodies and query parameters of /api/social, with the limits of every field."""

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field

from shared.ids import ID_PATTERN, is_id
from shared.text import one_line
from shared.web.schemas import documented, line
from social.domain.names import typed_initials

MAX_BODY_BYTES = 16 * 1024
MAX_PROFILES = 200

Limit = Annotated[int, Query(ge=1, le=100)]


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


class ProfileChange(BaseModel):
    """A field that is left out stays. null removes the avatar."""

    display_name: Annotated[
        str,
        Field(max_length=200),
        AfterValidator(one_line),
        AfterValidator(_not_empty),
        Field(max_length=60),
        line(1, 60),
    ] = ""
    status_message: Annotated[
        str, Field(max_length=1000), AfterValidator(one_line), Field(max_length=200), line(0, 200)
    ] = ""
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
        raise ValueError("must be ids separated by commas")
    return found


UserIds = Annotated[
    str,
    Query(max_length=MAX_PROFILES * 40),
    AfterValidator(_split),
    documented(pattern=f"^({ID_PATTERN}(,{ID_PATTERN}){{0,{MAX_PROFILES - 1}}})?$"),
]
"""Comma-separated ids, converted to a list."""


def _two_at_least(typed: str) -> str:
    if len(typed_initials(typed) or typed) < 2:
        raise ValueError("at least 2 characters")
    return typed


SearchText = Annotated[
    str, Query(max_length=64, description="at least 2 characters"), AfterValidator(_two_at_least), line(2, 64)
]
"""A text to search for. A consonant cluster, which a keyboard makes of two consonants, counts as 2 characters."""
