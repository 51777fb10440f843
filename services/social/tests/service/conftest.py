"""Fixtures: social in this process, with a real database and Valkey, and a real auth on its own port.

They are started once per module (see `shared.testing.once`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import social.storage
from auth.main import create_app as create_auth
from auth.settings import AuthSettings
from shared.contracts.auth import Account
from shared.contracts.media import Avatar, AvatarRequest
from shared.errors import NotFound
from shared.ids import new_id
from shared.redis.client import AnyRedis
from shared.testing.fixtures import eventually, prepare_database
from shared.testing.once import (
    database_env,
    function_fixture,
    module_fixture,
    plain_client,
    redis,
    redis_endpoint,
    share_loop,
    tag,
)
from shared.testing.servers import free_port
from shared.testing.statements import led_by_keys
from shared.web.errors import error_response
from shared.web.state import state_of
from social.main import create_app
from social.service.accounts import register
from social.service.dependencies import Dependencies
from social.settings import SocialSettings

__all__ = ["database_env", "redis", "redis_endpoint", "tag"]

SECRET = "s" * 40
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    """A signed-up person. `http` is their client of social, `account` their client of auth."""

    user_id: str
    webchat_id: str
    http: httpx.AsyncClient
    account: httpx.AsyncClient

    async def close(self) -> None:
        answer = await self.account.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
        assert answer.status_code == 204


SignUp = Callable[..., Awaitable[Person]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_loop(items, Path(__file__).parent)


@module_fixture()
async def auth_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_endpoint: list[str], redis: AnyRedis
) -> AsyncIterator[str]:
    database = prepare_database(request, "sqlite", ["auth"], tmp_path_factory.mktemp("auth"))
    names = ("service_secret", *(f"{name}_service_secret" for name in ("social", "rooms", "media", "chat_gateway")))
    given: dict[str, Any] = {
        "_env_file": None, "redis_endpoint": redis_endpoint, "rate_limits": False, "session_secret_key": SECRET,
        "argon2_time_cost": 1, "argon2_memory_kib": 8, **dict.fromkeys(names, SECRET), **database,
    }  # fmt: skip
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(create_auth(AuthSettings(**given)), port=port, log_config=None, lifespan="on")
    )
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@module_fixture()
async def media() -> AsyncIterator[tuple[str, set[str]]]:
    """A stand-in for media: its URL, and the avatars that belong to every user."""
    avatars: set[str] = set()

    async def check(request: Request) -> Response:
        asked = msgspec.json.decode(await request.body(), type=AvatarRequest)
        if asked.attachment_id not in avatars:
            return error_response(NotFound("There is no such attachment."))
        return Response(msgspec.json.encode(Avatar(asked.attachment_id)))

    port = free_port()
    app = Starlette(routes=[Route("/internal/avatars", check, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}", avatars
    server.should_exit = True
    await task


@pytest.fixture
def avatar(media: tuple[str, set[str]]) -> str:
    """An attachment that is an avatar."""
    attachment_id = new_id()
    media[1].add(attachment_id)
    return attachment_id


@pytest.fixture(scope="module")
def settings(
    request: pytest.FixtureRequest,
    database_env: dict[str, Any],
    redis_endpoint: list[str],
    auth_url: str,
    media: tuple[str, set[str]],
) -> SocialSettings:
    """Settings of the application; `with_settings` changes some for a test."""
    given = {
        "_env_file": None, "service_secret": SECRET, "redis_endpoint": redis_endpoint, "auth_url": auth_url,
        "media_url": media[0],
    }  # fmt: skip
    return SocialSettings(**{**database_env, **given, **getattr(request, "param", {})})


def with_settings(**settings: Any) -> pytest.MarkDecorator:
    """Return a mark for a test, or a module, that needs an application with these settings."""
    return pytest.mark.parametrize("settings", [settings], indirect=True, ids=[""])


@module_fixture()
async def app(settings: SocialSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        with led_by_keys(
            social.storage, state_of(app).dependencies.database.engine.sync_engine, but={"people.list_by_webchat_id"}
        ):
            yield app


@function_fixture()
async def spare(settings: SocialSettings, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """An application on a database without tables, which a test may break."""
    app = create_app(settings.model_copy(update={"webchat_data": tmp_path}))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def deps(app: FastAPI) -> Dependencies:
    dependencies: Dependencies = state_of(app).dependencies
    return dependencies


@function_fixture()
async def sign_up(app: FastAPI, auth_url: str, tag: str) -> AsyncIterator[SignUp]:
    """Sign up a person whose WebChat ID is the test's tag followed by the name, or `webchat_id`."""
    made: list[httpx.AsyncClient] = []

    async def sign_up(name: str, webchat_id: str = "") -> Person:
        webchat_id = webchat_id or f"{tag}{name}"
        account = plain_client(auth_url)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://social/api/social")
        made.extend([account, http])
        names = {"email": f"{webchat_id}@example.com", "webchat_id": webchat_id, "display_name": name.title()}
        body = {"password": PASSWORD, **names}
        answer = await account.post("/api/auth/signup", json=body)
        assert answer.status_code == 201, answer.text
        http.headers["X-WebChat-Token"] = (await account.get("/check?audience=social")).headers["X-WebChat-Token"]
        return Person(answer.json()["user_id"], webchat_id, http, account)

    yield sign_up
    for client in made:
        await client.aclose()


@function_fixture()
async def gateway(app: FastAPI, auth_url: str) -> AsyncIterator[Callable[..., Awaitable[httpx.Response]]]:
    """Post to social's internal routes with a token of the gateway."""
    async with plain_client(auth_url) as client:
        body = {"service": "chat-gateway", "secret": SECRET, "audience": "social"}
        token = (await client.post("/internal/token", json=body)).json()["token"]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"X-WebChat-Token": token}
    async with httpx.AsyncClient(transport=transport, base_url="http://social/internal", headers=headers) as internal:

        async def ask(path: str, **body: object) -> httpx.Response:
            return await internal.post(f"/{path}", json=body)

        yield ask


@pytest.fixture
def register_many(deps: Dependencies, tag: str) -> Callable[[int], Awaitable[list[str]]]:
    """Register many people who exist only in social; return their ids in the order of their WebChat IDs."""

    async def register_many(number: int) -> list[str]:
        accounts = [
            Account(user_id=new_id(), webchat_id=f"{tag}crowd{index:05}", display_name=f"C {index}", version=1)
            for index in range(number)
        ]
        await register(deps, accounts)
        return [account.user_id for account in accounts]

    return register_many


@pytest.fixture
def statements(deps: Dependencies) -> Iterator[list[str]]:
    """The statements sent to the database from now on. Tests clear the list before the part that counts."""
    engine, sent = deps.database.engine.sync_engine, list[str]()

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "outbox" not in statement and not statement.startswith("BEGIN"):  # leave out the relay's, and SQLite's BEGIN
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", record)
    yield sent
    event.remove(engine, "before_cursor_execute", record)
