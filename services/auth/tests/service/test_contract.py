"""The service does what its OpenAPI document says."""

from fastapi import FastAPI

from shared.testing.api_contract import find_differences

from .conftest import SignUp


async def test_requests_and_answers_are_as_documented(app: FastAPI, sign_up: SignUp) -> None:
    client, _ = await sign_up("anna")
    headers = {"Cookie": f"webchat_session={client.cookies['webchat_session']}"}
    assert await find_differences(app, headers, exempt={}, last="POST /api/auth/logout") == []
