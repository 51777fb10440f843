"""Plain routes answer and document exactly what FastAPI's do."""

from typing import Annotated, Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send

from shared.errors import Forbidden, Unavailable
from shared.web.callers import PathId
from shared.web.errors import error_response, install_error_handlers
from shared.web.openapi import answers, install_openapi
from shared.web.plain_routes import PlainRoute, PlainRoutes
from shared.web.routing import Body, JsonBody, StructRoute

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


class Thing(msgspec.Struct):
    name: str
    size: int = 0


class Choice(BaseModel):
    limit: int = 50
    name: str | None = None


class OutageError(Exception):
    pass


class CloserOutageError(OutageError):
    pass


async def locked(request: Request) -> str:
    key = request.headers.get("X-Key")
    if key is None:
        raise Forbidden("This needs a key.")
    return key


async def free(request: Request) -> None:
    if "X-Busy" in request.headers:
        raise Unavailable("Busy.", retry_after=3)


Key = Annotated[str, Depends(locked)]


async def list_things(thing_id: PathId, choice: Annotated[Choice, Query()], key: Key) -> list[Thing]:
    return [Thing(f"{thing_id} {key} {choice.name}", choice.limit)]


async def add_thing(response: Response, key: Key, body: Annotated[Thing, JsonBody(strict=False)]) -> Thing:
    response.status_code = 200 if body.name == "old" else 201
    response.headers["X-Name"] = body.name
    response.set_cookie("key", key)
    return body


async def replace_thing(request: Request, thing_id: PathId, body: Body[Thing]) -> Thing:
    return Thing(f"{request.method} {thing_id} {body.name}", body.size)


async def clear() -> None:
    pass


async def get_raw() -> Response:
    return Response(b'{"name":"raw"}', media_type="application/json", headers={"Cache-Control": "no-store"})


async def fail(choice: Annotated[Choice, Query()]) -> Thing:
    raise {"outage": OutageError, "closer": CloserOutageError}.get(choice.name or "", ZeroDivisionError)


def routes(kind: type[StructRoute]) -> APIRouter:
    router = APIRouter(prefix="/things", route_class=kind, tags=["things"])
    router.get("/of/{thing_id}", dependencies=[Depends(free)])(list_things)
    router.post("", status_code=201)(add_thing)
    router.put("/{thing_id}")(replace_thing)
    router.delete("", status_code=204)(clear)
    router.get("/raw", responses=answers(Thing))(get_raw)
    router.get("/fail")(fail)
    return router


async def on_outage(_: Request, error: Exception) -> Response:
    return error_response(Unavailable(type(error).__name__))


def application(kind: type[StructRoute]) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    app.add_exception_handler(OutageError, on_outage)
    install_openapi(app)
    router = routes(kind)
    if kind is PlainRoute:
        app.add_middleware(PlainRoutes, routes=router.routes, handlers=app.exception_handlers)
    app.include_router(router)
    return app


async def ask(app: FastAPI, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[Any, ...]:
    """Return status, headers in order, body and the template of the route."""
    scopes: list[Scope] = []

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(observed, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.request(method, path, headers=headers, content=body)
    template = getattr(scopes[0].get("route"), "path", None)
    return answer.status_code, answer.headers.raw, answer.content, template, scopes[0].get("path_params")


KEY = {"X-Key": "k"}
REQUESTS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", f"/things/of/{ID}", KEY, b""),
    ("GET", f"/things/of/{ID}?limit=3&name=a%20b", KEY, b""),
    ("GET", f"/things/of/{ID}?limit=1&limit=2", KEY, b""),
    ("GET", f"/things/of/{ID}?limit=&other=1", KEY, b""),
    ("GET", f"/things/of/{ID}?limit=1.5&name=x", KEY, b""),
    ("GET", f"/things/of/{ID}?limit=%20+7", KEY, b""),
    ("GET", f"/things/of/{ID}?name=%ff%00", KEY, b""),
    ("GET", f"/things/of/{ID}", {}, b""),
    ("GET", f"/things/of/{ID}?limit=x", {}, b""),
    ("GET", f"/things/of/{ID}", KEY | {"X-Busy": "1"}, b""),
    ("GET", f"/things/of/{ID}", {"X-Busy": "1"}, b""),
    ("GET", "/things/of/nonsense?limit=x", KEY, b""),
    ("GET", f"/things/of/{ID.upper()}", KEY, b""),
    ("GET", f"/things/of/{ID}%0A", KEY, b""),
    ("GET", f"/things/of/{ID}/", KEY, b""),
    ("GET", "/things/of/", KEY, b""),
    ("HEAD", f"/things/of/{ID}", KEY, b""),
    ("POST", f"/things/of/{ID}", KEY, b""),
    ("POST", "/things", KEY, b'{"name":"new","size":"4"}'),
    ("POST", "/things", KEY, b'{"name":"old"}'),
    ("POST", "/things", {}, b"{"),
    ("POST", "/things", KEY, b"{"),
    ("POST", "/things/", KEY, b"{}"),
    ("PUT", f"/things/{ID}", {}, b'{"name":"x","size":2}'),
    ("PUT", f"/things/{ID}", {}, b'{"name":"x","size":"2"}'),
    ("PUT", f"/things/{ID}", {}, b"x" * (4 * 1024 * 1024 + 1)),
    ("PUT", "/things/nonsense", {}, b"{"),
    ("DELETE", "/things", {}, b""),
    ("GET", "/things/raw", {}, b""),
    ("GET", "/things", {}, b""),
    ("GET", "/things/fail?name=outage", {}, b""),
    ("GET", "/things/fail?name=closer", {}, b""),
    ("GET", "/things/fail", {}, b""),
    ("GET", "/nothing", {}, b""),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: f"{one[0]} {one[1]} {len(one[2])} {one[3][:25]!r}")
async def test_both_kinds_of_routes_answer_the_same(request_: tuple[str, str, dict[str, str], bytes]) -> None:
    assert await ask(application(PlainRoute), *request_) == await ask(application(StructRoute), *request_)


def test_both_kinds_are_documented_the_same() -> None:
    assert application(PlainRoute).openapi() == application(StructRoute).openapi()


async def test_fastapi_does_not_see_the_requests_of_plain_routes() -> None:
    seen: list[str] = []

    class Observed:
        def __init__(self, app: Any) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["path"])
            await self._app(scope, receive, send)

    app = application(PlainRoute)
    app.user_middleware.append(Middleware(Observed))  # the innermost
    assert (await ask(app, "GET", f"/things/of/{ID}", KEY, b""))[0] == 200
    assert (await ask(app, "PATCH", f"/things/of/{ID}", KEY, b""))[0] == 405
    assert seen == [f"/things/of/{ID}"]


async def test_other_protocols_are_passed_on() -> None:
    seen: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(_: Message) -> None:
        pass

    await PlainRoutes(inner, [], {})({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]


def test_parameters_that_only_fastapi_provides_are_rejected() -> None:
    async def scalar(limit: Annotated[int, Query()] = 3) -> Thing: ...
    async def undeclared(limit: int) -> Thing: ...
    def synchronous(request: Request) -> str: ...
    async def nested(key: Key) -> str: ...
    async def of_synchronous(key: Annotated[str, Depends(synchronous)]) -> Thing: ...
    async def of_nested(key: Annotated[str, Depends(nested)]) -> Thing: ...

    router = APIRouter(route_class=PlainRoute)
    for endpoint in (scalar, undeclared, of_synchronous, of_nested):
        with pytest.raises(TypeError, match="plain route"):
            router.get("/x")(endpoint)
    with pytest.raises(TypeError, match="max_body_size does not apply"):
        APIRouter(route_class=PlainRoute, max_body_size=10).put("/{thing_id}")(replace_thing)
