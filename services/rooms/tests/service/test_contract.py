"""The service does what its OpenAPI document says."""

from shared.ids import new_id
from shared.rpc.tokens import TOKEN_HEADER
from shared.testing.api_contract import find_differences

from .conftest import FakeAuth, Start

EXEMPT = {
    "POST /api/rooms": {"title", "user_id"},
    "POST /api/rooms/{room_id}/messages": {"body"},
    "GET /api/rooms/{room_id}/messages": {"at", ""},
}
"""A room requires what its kind needs; a message has a text or attachments; a page has one anchor, since 1970."""


async def test_requests_and_answers_are_as_documented(start: Start, auth: FakeAuth) -> None:
    async with start() as call:
        headers = {TOKEN_HEADER: auth.user_token(new_id())}
        assert await find_differences(call.app, headers, exempt=EXEMPT) == []
