"""Requests that take longer than their budget."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from shared.web import request_budget
from shared.web.request_budget import RequestBudget


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("REQUEST_S", 0.02), ("INTERNAL_REQUEST_S", 0.1), ("UPLOAD_S", 0.1)):
        monkeypatch.setattr(request_budget, name, seconds)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.add_middleware(RequestBudget, uploads=["/uploads"])
    app.state.cancelled = []

    async def hang(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            app.state.cancelled.append(request.url.path)

    async def pause() -> str:
        await asyncio.sleep(0.05)
        return "done"

    async def stream() -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield "begun, "
            await asyncio.sleep(0.05)
            yield "done"

        return StreamingResponse(body())

    async def fail() -> None:
        raise TimeoutError

    for path in ("/hangs", "/internal/hangs"):
        app.add_api_route(path, hang)
    app.add_api_route("/uploads", pause, methods=["GET", "POST"])
    app.add_api_route("/internal/pauses", pause)
    app.add_api_route("/streams", stream)
    app.add_api_route("/fails", fail)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        client.app = app  # type: ignore[attr-defined]
        yield client


@pytest.mark.parametrize("path", ["/hangs", "/internal/hangs"])
async def test_a_request_that_hangs_is_cancelled_and_answered_with_503(client, path):
    response = await client.get(path)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "urn:webchat:problem:unavailable"
    assert client.app.state.cancelled == [path]


async def test_uploads_and_requests_of_services_have_more_time(client):
    assert (await client.post("/uploads")).json() == "done"
    assert (await client.get("/internal/pauses")).json() == "done"
    assert (await client.get("/uploads")).status_code == 503


async def test_a_body_may_take_longer(client):
    assert (await client.get("/streams")).text == "begun, done"


async def test_an_error_of_the_application_stays_one(client):
    with pytest.raises(TimeoutError):
        await client.get("/fails")
