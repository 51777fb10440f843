"""Sends nested JSON to every route of an application that may read a body."""

import re
from collections.abc import Iterator, Mapping

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from shared.ids import new_id

DEPTHS = (100, 900, 50_000)


async def check_nested_bodies(
    app: FastAPI, client: httpx.AsyncClient, user: Mapping[str, str], service: Mapping[str, str]
) -> int:
    """Check that no nested body causes an error of the server; return the number of routes that rejected one.

    `user` and `service` are the headers of a signed-in user and of another service.
    """
    rejected = 0
    for method, path in _routes(app):
        headers = {"Content-Type": "application/json", **(service if path.startswith("/internal") else user)}
        statuses = set()
        for body in _bodies():
            answer = await client.request(method, path, content=body, headers=headers)
            assert answer.status_code < 500, (method, path, len(body), answer.text)
            statuses.add(answer.status_code)
        rejected += statuses == {422}
    return rejected


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            path = re.sub(r"{\w+}", new_id(), route.path or "")
            yield from ((method, path) for method in sorted((route.methods or set()) - {"GET"}))


def _bodies() -> Iterator[bytes]:
    for depth in DEPTHS:
        nested = b"[" * depth + b"]" * depth
        yield from (nested, b'{"x": %s}' % nested, b'{"x": ' * depth + b"1" + b"}" * depth)
        yield b'{"data": %s, "user_ids": %s, "login": %s, "title": %s}' % (nested, nested, nested, nested)
