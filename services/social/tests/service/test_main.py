"""The composition of the service: each test fails if `main` leaves something out.

test_blocks covers the relay, test_profiles the consumer, test_outages the optional dependencies.
"""

import httpx
from sqlalchemy import text

from shared.testing.once import check_readiness
from shared.web.state import state_of


async def test_readiness_requires_database_and_schema(spare):
    await check_readiness(spare, state_of(spare).dependencies.database)


async def test_a_failing_database_is_answered_with_503(spare, sign_up):
    anna = await sign_up("anna")
    async with state_of(spare).dependencies.database.write() as db:
        await db.execute(text("DROP TABLE person"))
    transport = httpx.ASGITransport(spare, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://social", headers=anna.http.headers) as client:
        answer = await client.get("/api/social/profiles/me")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
