"""social in process on a real database and a real Valkey, and the real auth beside it on a port of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from fastapi import FastAPI
from redis.asyncio import Redis
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
from shared.service.ids import new_id
from shared.service.problems import NotFound, problem_response
from shared.testing.fixtures import eventually
from shared.testing.servers import free_port
from shared.testing.statements import led_by_keys
from social.main import create_app
from social.service.known import register
from social.service.parts import Parts
from social.settings import SocialSettings

SECRET = "s" * 40
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Someone:
    """A person who signed up: `http` reaches social as them, `account` auth."""

    user_id: str
    webchat_id: str
    http: httpx.AsyncClient
    account: httpx.AsyncClient

    async def close(self) -> None:
        answer = await self.account.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
        assert answer.status_code == 204


SignUp = Callable[[str], Awaitable[Someone]]


@pytest.fixture
async def auth_url(tmp_path: Path, redis_endpoint: list[str], redis: Redis) -> AsyncIterator[str]:
    secrets = dict.fromkeys((f"{name}_service_secret" for name in ("social", "rooms", "media", "chat_gateway")), SECRET)
    settings = AuthSettings(
        _env_file=None, webchat_data=tmp_path / "auth", redis_endpoint=redis_endpoint, rate_limits=False,
        service_secret=SECRET, session_secret_key=SECRET, argon2_time_cost=1, argon2_memory_kib=8, **secrets,
    )  # fmt: skip
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_auth(settings), port=port, log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@pytest.fixture
async def media() -> AsyncIterator[tuple[str, set[str]]]:
    """Media as social knows it: its address, and the avatars that everyone may wear."""
    avatars: set[str] = set()

    async def check(request: Request) -> Response:
        asked = msgspec.json.decode(await request.body(), type=AvatarRequest)
        if asked.attachment_id not in avatars:
            return problem_response(NotFound("There is no such attachment."))
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


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Settings that a test wants otherwise: to be overridden."""
    return {}


@pytest.fixture
def settings(
    database_env: dict[str, Any], redis_endpoint: list[str], auth_url: str, media: Any, overrides: dict[str, Any]
) -> SocialSettings:
    common = {"redis_endpoint": redis_endpoint, "auth_url": auth_url, "media_url": media[0],
              "service_secret": SECRET}  # fmt: skip
    return SocialSettings(_env_file=None, **{**database_env, **common, **overrides})


@pytest.fixture
async def app(settings: SocialSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        with led_by_keys(
            social.storage, app.state.parts.database.engine.sync_engine, but={"people.list_by_webchat_id"}
        ):
            yield app


@pytest.fixture
def parts(app: FastAPI) -> Parts:
    return app.state.parts


@pytest.fixture
async def sign_up(app: FastAPI, auth_url: str) -> AsyncIterator[SignUp]:
    made: list[httpx.AsyncClient] = []

    async def sign_up(name: str) -> Someone:
        account = httpx.AsyncClient(base_url=auth_url, trust_env=False)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://social/api/social")
        made.extend([account, http])
        body = {"email": f"{name}@example.com", "password": PASSWORD, "webchat_id": name, "display_name": name.title()}
        answer = await account.post("/api/auth/signup", json=body)
        assert answer.status_code == 201, answer.text
        http.headers["X-WebChat-Token"] = (await account.get("/check?audience=social")).headers["X-WebChat-Token"]
        return Someone(answer.json()["user_id"], name, http, account)

    yield sign_up
    for client in made:
        await client.aclose()


@pytest.fixture
async def gateway(app: FastAPI, auth_url: str) -> AsyncIterator[Callable[..., Awaitable[httpx.Response]]]:
    """Asks social's internal addresses with a token of the gateway."""
    async with httpx.AsyncClient(base_url=auth_url, trust_env=False) as client:
        body = {"service": "chat-gateway", "secret": SECRET, "audience": "social"}
        token = (await client.post("/internal/token", json=body)).json()["token"]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"X-WebChat-Token": token}
    async with httpx.AsyncClient(transport=transport, base_url="http://social/internal", headers=headers) as internal:

        async def ask(path: str, **body: object) -> httpx.Response:
            return await internal.post(f"/{path}", json=body)

        yield ask


@pytest.fixture
def crowd(parts: Parts) -> Callable[..., Awaitable[list[str]]]:
    """Makes many people at once, known to social alone; their ids, in the order of their WebChat IDs."""

    async def crowd(number: int, prefix: str = "crowd_") -> list[str]:
        accounts = [
            Account(user_id=new_id(), webchat_id=f"{prefix}{index:05}", display_name=f"C {index}", version=1)
            for index in range(number)
        ]
        await register(parts, accounts)
        return [account.user_id for account in accounts]

    return crowd


@pytest.fixture
def statements(parts: Parts) -> list[str]:
    """What is sent to the database from now on; to be cleared before the part that counts."""
    sent: list[str] = []

    @event.listens_for(parts.database.engine.sync_engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "outbox" not in statement and not statement.startswith("BEGIN"):  # the relay's, and what SQLite begins with
            sent.append(statement)

    return sent
