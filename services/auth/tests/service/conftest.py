"""The app in process, with a real database (SQLite, MariaDB and MySQL) and a real Valkey."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

import auth.storage
from auth.main import create_app
from auth.service.parts import Parts
from auth.settings import AuthSettings
from shared.testing.statements import led_by_keys

PASSWORD = "correct horse battery"
SECRETS = {
    name: f"{name} {'x' * 40}"
    for name in (
        "session_secret_key", "service_secret", "social_service_secret", "rooms_service_secret",
        "media_service_secret", "chat_gateway_service_secret",
    )
}  # fmt: skip
CHEAP = {"argon2_time_cost": 1, "argon2_memory_kib": 8}

Someone = tuple[httpx.AsyncClient, dict[str, str]]
SignUp = Callable[..., Awaitable[Someone]]


@pytest.fixture
def settings(
    database_env: dict[str, Any], redis_endpoint: list[str], redis: Redis, overrides: dict[str, Any]
) -> AuthSettings:
    return AuthSettings(
        _env_file=None, **{**database_env, **SECRETS, **CHEAP, "redis_endpoint": redis_endpoint, **overrides}
    )


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Settings that a test wants otherwise: to be overridden."""
    return {"rate_limits": False}


@pytest.fixture
async def app(settings: AuthSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        with led_by_keys(
            auth.storage, app.state.parts.database.engine.sync_engine, but={"keys.list_keys", "sessions.purge_sessions"}
        ):
            yield app


@pytest.fixture
def parts(app: FastAPI) -> Parts:
    return app.state.parts


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """Makes clients, each with its own cookies."""
    made: list[httpx.AsyncClient] = []

    def make() -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        made.append(httpx.AsyncClient(transport=transport, base_url="http://chat.example"))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def client(browser: Callable[[], httpx.AsyncClient]) -> httpx.AsyncClient:
    return browser()


@pytest.fixture
def sign_up(browser: Callable[[], httpx.AsyncClient]) -> SignUp:
    async def sign_up(name: str, **fields: str) -> Someone:
        client = browser()
        body = {
            "email": f"{name}@example.com", "password": PASSWORD, "webchat_id": name, "display_name": name.title(),
            **fields,
        }  # fmt: skip
        answer = await client.post("/api/auth/signup", json=body)
        assert answer.status_code == 201, answer.text
        return client, answer.json()

    return sign_up


@pytest.fixture
def log_in(browser: Callable[[], httpx.AsyncClient]) -> Callable[..., Awaitable[httpx.AsyncClient]]:
    async def log_in(login: str, password: str = PASSWORD) -> httpx.AsyncClient:
        client = browser()
        answer = await client.post("/api/auth/login", json={"login": login, "password": password})
        assert answer.status_code == 200, answer.text
        return client

    return log_in
