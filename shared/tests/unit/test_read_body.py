"""Reading a body as a msgspec struct: what does not fit is Invalid, never an error of the server."""

import msgspec
import pytest
from fastapi import Request
from starlette.types import Message

from shared.errors import Invalid, TooLarge
from shared.web.routing import read_body


class Body(msgspec.Struct):
    count: int
    name: str = ""


def request_with(body: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def test_a_body_is_decoded():
    assert await read_body(request_with(b'{"count": 2, "more": 1}'), Body) == Body(2)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b'{"count": 1.5}', b'{"count": ' + b"9" * 5000 + b"}", b'{"x": ' + b"[" * 100_000],
    ids=["empty", "cut", "list", "no UTF-8", "fraction", "5,000 digits", "nested"],
)
async def test_what_does_not_fit_is_invalid(body: bytes):
    with pytest.raises(Invalid, match="body is malformed"):
        await read_body(request_with(body), Body, strict=False)


async def test_an_error_names_its_field():
    with pytest.raises(Invalid) as raised:
        await read_body(request_with(b'{"count": 1, "name": 7}'), Body)
    assert raised.value.errors == {"name": "Expected `str`, got `int`"}


async def test_numbers_may_be_strings_unless_strict():
    body = b'{"count": "2"}'
    assert await read_body(request_with(body), Body, strict=False) == Body(2)
    with pytest.raises(Invalid):
        await read_body(request_with(body), Body)


async def test_a_body_beyond_the_limit_is_too_large():
    with pytest.raises(TooLarge):
        await read_body(request_with(b'{"count": 1}'), Body, limit=5)
