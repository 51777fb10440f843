"""Request bodies of /api/auth, with the limits of every field."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from auth.domain.identity import MAX_EMAIL, WEBCHAT_ID_PATTERN, check_email, webchat_id_of
from auth.domain.passwords import MAX_BYTES, MIN_CHARACTERS
from shared.text import one_line
from shared.web.schemas import documented, line

MAX_BODY_BYTES = 16 * 1024


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


Credential = Annotated[
    str, Field(max_length=1000), AfterValidator(_without_nul), documented(format="text", maxLength=1000)
]
NewPassword = Annotated[
    Credential,
    documented(
        format="password",
        minLength=MIN_CHARACTERS,
        maxLength=MAX_BYTES,
        description=f"at most {MAX_BYTES} bytes, none of the most common passwords, and not the name of the account",
    ),
]
Email = Annotated[
    str, Field(max_length=320), AfterValidator(check_email), documented(format="email", maxLength=MAX_EMAIL)
]
WebChatId = Annotated[
    str, Field(max_length=20), AfterValidator(webchat_id_of), documented(pattern=f"^{WEBCHAT_ID_PATTERN}$")
]
DisplayName = Annotated[
    str, Field(max_length=200), AfterValidator(one_line), AfterValidator(_not_empty), Field(max_length=60), line(1, 60)
]


class SignUp(BaseModel):
    email: Email
    password: NewPassword
    webchat_id: WebChatId
    display_name: DisplayName


class LogIn(BaseModel):
    login: Credential
    password: Credential


class PasswordChange(BaseModel):
    current_password: Credential
    new_password: NewPassword


class Closing(BaseModel):
    password: Credential
