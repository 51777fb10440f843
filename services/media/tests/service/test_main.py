"""The composition of the service: each test fails if `main` leaves something out.

test_deletions covers the consumers, test_backup the sweep, test_faults the bucket.
"""

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import text

from media.main import create_app
from media.settings import MediaSettings
from shared.ids import new_id
from shared.testing.once import check_readiness, function_fixture, wait_for_readiness
from shared.web.state import state_of

from .conftest import client_of, started

UNREACHABLE = "127.0.0.1:1"


@function_fixture()
async def spare(settings: MediaSettings, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """An application on a database without tables, which a test may break."""
    async with started(settings.model_copy(update={"webchat_data": tmp_path})) as app:
        yield app


async def test_readiness_requires_database_and_schema(spare):
    await check_readiness(spare, state_of(spare).dependencies.database)


async def test_a_failing_database_is_answered_with_503(spare, anna):
    async with state_of(spare).dependencies.database.write() as db:
        await db.execute(text("DROP TABLE attachment"))
    async with client_of(spare) as client:
        client.headers["X-WebChat-Token"] = anna.media.headers["X-WebChat-Token"]
        answer = await client.get(f"/attachments/{new_id()}/content")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_redis_and_rooms_are_optional(settings):
    outages = {"redis_endpoint": [UNREACHABLE], "rooms_url": f"http://{UNREACHABLE}"}
    async with started(settings.model_copy(update=outages)) as app:
        await wait_for_readiness(app, status="ready", missing=[], degraded=["redis", "rooms"])


async def test_readiness_requires_keys_of_auth(settings):
    app = create_app(settings.model_copy(update={"auth_url": f"http://{UNREACHABLE}"}))
    async with app.router.lifespan_context(app):
        await wait_for_readiness(app, status="waiting", missing=["keys of auth"], degraded=["rooms"])
