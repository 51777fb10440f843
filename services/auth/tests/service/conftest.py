"""Fixtures: auth in this process, with a real database and Valkey, once per module (see `shared.testing.once`)."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import auth.storage
from auth.main import create_app
from auth.service.dependencies import Dependencies
from auth.settings import AuthSettings
from shared.redis.client import AnyRedis
from shared.testing.once import database_env, function_fixture, module_fixture, redis, redis_endpoint, share_loop, tag
from shared.testing.statements import led_by_keys
from shared.web.state import state_of

__all__ = ["database_env", "redis", "redis_endpoint", "tag"]

PASSWORD = "correct horse battery"
SECRETS = {
    name: f"{name} {'x' * 40}"
    for name in (
        "session_secret_key", "service_secret", "social_service_secret", "rooms_service_secret",
        "media_service_secret", "chat_gateway_service_secret",
    )
}  # fmt: skip
RARE = {
    "keys.list_keys", "sessions.purge_sessions", "revocations.list_revocations", "revocations.purge_revocations"
}  # fmt: skip
"""Functions whose statements name no users."""
CHEAP = {"argon2_time_cost": 1, "argon2_memory_kib": 8}
UNHURRIED_S = 30
"""The time limit for reading a session. With the real one, a busy machine gets a 503 now and then."""
_addresses = itertools.count(int(IPv4Address("10.0.0.1")))

SignedUp = tuple[httpx.AsyncClient, dict[str, str]]
SignUp = Callable[..., Awaitable[SignedUp]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    share_loop(items, Path(__file__).parent)


@pytest.fixture(scope="module")
def settings(
    request: pytest.FixtureRequest, database_env: dict[str, Any], redis_endpoint: list[str], redis: AnyRedis
) -> AuthSettings:
    """Settings of the application; `with_settings` changes some for a test."""
    given = {**database_env, **SECRETS, **CHEAP, "redis_endpoint": redis_endpoint, "rate_limits": False}
    return AuthSettings(**{"_env_file": None, **given, **getattr(request, "param", {})})


def with_settings(**settings: Any) -> pytest.MarkDecorator:
    """Return a mark for a test, or a module, that needs an application with these settings."""
    return pytest.mark.parametrize("settings", [settings], indirect=True, ids=[""])


@module_fixture()
async def app(settings: AuthSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        dependencies: Dependencies = state_of(app).dependencies
        dependencies.sessions.read_timeout_s = UNHURRIED_S
        with led_by_keys(auth.storage, dependencies.database.engine.sync_engine, but=RARE):
            yield app


@function_fixture()
async def spare(settings: AuthSettings, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """An application on a database without tables, which a test may break."""
    app = create_app(settings.model_copy(update={"webchat_data": tmp_path}))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def deps(app: FastAPI) -> Dependencies:
    dependencies: Dependencies = state_of(app).dependencies
    return dependencies


@pytest.fixture
def address() -> str:
    """The IP address of this test's browsers, different from those of all other tests."""
    return str(IPv4Address(next(_addresses)))


@function_fixture()
async def browser(app: FastAPI, address: str) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """A factory of clients, each with its own cookies."""
    made: list[httpx.AsyncClient] = []

    def make() -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"X-Real-IP": address}
        made.append(httpx.AsyncClient(transport=transport, base_url="http://chat.example", headers=headers))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def client(browser: Callable[[], httpx.AsyncClient]) -> httpx.AsyncClient:
    return browser()


@pytest.fixture
def sign_up(browser: Callable[[], httpx.AsyncClient], tag: str) -> SignUp:
    """Sign up a user whose WebChat ID is the name followed by the test's tag."""

    async def sign_up(name: str, **fields: str) -> SignedUp:
        client, webchat_id = browser(), f"{name}{tag}"
        body = {
            "email": f"{webchat_id}@example.com", "password": PASSWORD, "webchat_id": webchat_id,
            "display_name": name.title(), **fields,
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
