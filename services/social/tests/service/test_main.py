"""What the composition root puts together: each test fails where `main` leaves a part out.

The relay is seen by test_blocks, the consumer by test_profiles, what may be away by test_outages.
"""

import httpx
from sqlalchemy import text

from shared.testing.once import check_readiness
from shared.web.state import state_of


async def test_it_is_ready_when_database_and_schema_are_there(spare):
    await check_readiness(spare, state_of(spare).dependencies.database)


async def test_a_database_that_fails_is_an_outage(spare, sign_up):
    anna = await sign_up("anna")
    async with state_of(spare).dependencies.database.write() as db:
        await db.execute(text("DROP TABLE person"))
    transport = httpx.ASGITransport(spare, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://social", headers=anna.http.headers) as client:
        answer = await client.get("/api/social/profiles/me")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
