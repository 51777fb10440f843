"""Answers of the API are not stored, unless their route decides otherwise."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.errors import NotFound
from shared.settings import WebSettings
from shared.web.app import create_app
from shared.web.plain_routes import PlainRoute
from shared.web.routing import StructRoute

router = APIRouter(route_class=StructRoute)


async def answer(request: Request) -> list[str]:
    del request
    return []


for route_class in (StructRoute, PlainRoute):
    for prefix in ("/api/", "/internal/"):
        router.add_api_route(prefix + route_class.__name__, answer, route_class_override=route_class)


@router.get("/api/file")
async def get_file() -> Response:
    return Response(headers={"Cache-Control": "private, max-age=60"})


@router.get("/api/error")
async def fail() -> list[str]:
    raise NotFound("There is nothing at this address.")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(WebSettings(_env_file=None), title="test", lifespan=lambda _: None, routers=[router])  # type: ignore[call-arg, arg-type, return-value]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/api/StructRoute", "no-store"), ("/api/PlainRoute", "no-store"),
        ("/api/error", "no-store"), ("/api/unknown", "no-store"), ("/api/file", "private, max-age=60"),
        ("/internal/StructRoute", None), ("/internal/PlainRoute", None),
    ],
)  # fmt: skip
async def test_answers_of_the_api_are_not_stored(client: httpx.AsyncClient, path: str, header: str | None) -> None:
    assert (await client.get(path)).headers.get("Cache-Control") == header
    assert (await client.request("TRACE", path)).headers.get("Cache-Control") == (
        "no-store" if "/api" in path else None
    )
