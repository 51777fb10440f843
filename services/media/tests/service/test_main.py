"""What the composition root puts together: each test fails where `main` leaves a part out.

Its consumers are seen by test_deleting, the sweep by test_backup, the bucket by test_faults.
"""

from sqlalchemy import text

from media.main import create_app
from shared.ids import new_id
from shared.testing.once import check_readiness, function_fixture, wait_for_readiness
from shared.web.state import state_of

from .conftest import client_of, started

AWAY = "127.0.0.1:1"


@function_fixture()
async def spare(settings, tmp_path):
    """An application that a test may break, on a database that had no tables."""
    async with started(settings.model_copy(update={"webchat_data": tmp_path})) as app:
        yield app


async def test_it_is_ready_when_database_and_schema_are_there(spare):
    await check_readiness(spare, state_of(spare).dependencies.database)


async def test_a_database_that_fails_is_an_outage(spare, anna):
    async with state_of(spare).dependencies.database.write() as db:
        await db.execute(text("DROP TABLE attachment"))
    async with client_of(spare) as client:
        client.headers["X-WebChat-Token"] = anna.media.headers["X-WebChat-Token"]
        answer = await client.get(f"/attachments/{new_id()}/content")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_it_goes_on_without_redis_and_rooms(settings):
    away = {"redis_endpoint": [AWAY], "rooms_url": f"http://{AWAY}"}
    async with started(settings.model_copy(update=away)) as app:
        await wait_for_readiness(app, status="ready", missing=[], degraded=["redis", "rooms"])


async def test_without_keys_of_auth_it_waits(settings):
    app = create_app(settings.model_copy(update={"auth_url": f"http://{AWAY}"}))
    async with app.router.lifespan_context(app):
        await wait_for_readiness(app, status="waiting", missing=["keys of auth"], degraded=["rooms"])
