"""The service does what its OpenAPI document says."""

from fastapi import FastAPI

from shared.testing.api_contract import find_differences

from .conftest import Person

EXEMPT = {"POST /api/media/attachments": {"file", ""}}
"""A file without a room is an avatar, so it must be a picture. A form has at most eight parts."""


async def test_requests_and_answers_are_as_documented(app: FastAPI, anna: Person) -> None:
    headers = {"X-WebChat-Token": anna.media.headers["X-WebChat-Token"]}
    assert await find_differences(app, headers, exempt=EXEMPT) == []
