"""Calls between services, over persistent connections that the other side may close."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from shared.errors import NotFound, RateLimited, Unavailable
from shared.rpc.client import http_client, post
from shared.testing.http import serve
from shared.tracing.context import attach_span_context, parse_traceparent
from shared.web.errors import error_response


class Counted(msgspec.Struct):
    call: int


class Counter:
    """A server that answers with the number of the call, or closes the connection at the calls in `silent`."""

    def __init__(self, *silent: int) -> None:
        self.calls, self.silent, self.peers, self.traces = 0, silent, set(), []

    async def answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        self.traces.append(request.headers.get("traceparent", ""))
        self.peers.add(request.transport.get_extra_info("peername"))
        if self.calls in self.silent:
            request.transport.close()
        if self.calls > 8:
            return web.Response(status=404, body=bytes(error_response(NotFound("Not here.")).body))
        return web.Response(body=msgspec.json.encode(Counted(self.calls)))

    @asynccontextmanager
    async def answering(self):
        app = web.Application()
        app.add_routes([web.post("/", self.answer)])
        async with serve(app) as url, http_client() as client:
            yield client, f"{url}/"


async def test_calls_share_a_connection_until_one_closes_it():
    counter = Counter()
    async with counter.answering() as (client, url):
        for number in range(1, 7):
            assert (await post(client, url, {}, Counted, last=number == 3)).call == number
    assert len(counter.peers) == 2


async def test_a_call_is_repeated_once_if_the_connection_closes():
    counter = Counter(2, 4, 5)
    async with counter.answering() as (client, url):
        assert (await post(client, url, {}, Counted)).call == 1
        assert (await post(client, url, {}, Counted)).call == 3
        with pytest.raises(Unavailable):
            await post(client, url, {}, Counted)
        assert counter.calls == 5


async def test_a_call_propagates_the_current_trace():
    counter = Counter()
    async with counter.answering() as (client, url):
        unsampled = f"00-{'a' * 32}-{'b' * 16}-00"
        for claimed in ("0AF7", unsampled, f"00-{'a' * 32}-{'b' * 16}-01"):
            attach_span_context(parse_traceparent(claimed))
            await post(client, url, {}, Counted)
    absent, passed_on, sampled = counter.traces
    assert (absent, passed_on) == ("", unsampled)
    assert sampled.startswith(f"00-{'a' * 32}-")
    assert "b" * 16 not in sampled  # the id of the call's span, whose parent is the other
    assert sampled.endswith("-01")


async def test_an_error_of_the_other_side_is_raised():
    counter = Counter()
    counter.calls = 8
    async with counter.answering() as (client, url):
        with pytest.raises(NotFound, match="Not here"):
            await post(client, url, {}, Counted)


async def test_an_error_says_when_to_try_again():
    async def refuse(_: web.Request) -> web.Response:
        response = error_response(RateLimited("Too much.", retry_after=7))
        return web.Response(status=429, body=bytes(response.body), headers={"Retry-After": "7"})

    app = web.Application()
    app.add_routes([web.post("/", refuse)])
    async with serve(app) as url, http_client() as client:
        with pytest.raises(RateLimited) as raised:
            await post(client, f"{url}/", {}, Counted)
    assert raised.value.retry_after == 7


async def test_an_unreachable_service_is_unavailable():
    async with http_client() as client:
        with pytest.raises(Unavailable):
            await post(client, "http://127.0.0.1:1/", {}, Counted)
