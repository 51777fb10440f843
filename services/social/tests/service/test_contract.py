"""The service does what its OpenAPI document says."""

from fastapi import FastAPI

from shared.testing.api_contract import find_differences

from .conftest import SignUp

EXEMPT = {"PATCH /api/social/profiles/me": {"avatar_attachment_id"}}
"""An avatar is a picture that the caller uploaded before."""


async def test_requests_and_answers_are_as_documented(app: FastAPI, sign_up: SignUp) -> None:
    anna = await sign_up("anna")
    headers = {"X-WebChat-Token": anna.http.headers["X-WebChat-Token"]}
    assert await find_differences(app, headers, exempt=EXEMPT) == []
