"""Request bodies of /api/auth, with the limits of every field."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from auth.domain.identity import check_email, webchat_id_of
from shared.text import one_line

MAX_BODY_BYTES = 16 * 1024


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


Credential = Annotated[str, Field(max_length=1000), AfterValidator(_without_nul)]
Email = Annotated[str, Field(max_length=320), AfterValidator(check_email)]
WebChatId = Annotated[str, Field(max_length=20), AfterValidator(webchat_id_of)]
DisplayName = Annotated[
    str, Field(max_length=200), AfterValidator(one_line), AfterValidator(_not_empty), Field(max_length=60)
]


class SignUp(BaseModel):
    email: Email
    password: Credential
    webchat_id: WebChatId
    display_name: DisplayName


class LogIn(BaseModel):
    login: Credential
    password: Credential


class PasswordChange(BaseModel):
    current_password: Credential
    new_password: Credential


class Closing(BaseModel):
    password: Credential
