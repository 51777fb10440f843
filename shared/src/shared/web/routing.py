"""Routes whose endpoints declare their body and what they return only in their signature, as msgspec structs."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.utils import is_body_allowed_for_status_code
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import Invalid, TooLarge, field_and_problem
from shared.web.openapi import accepts, answers

T = TypeVar("T")
MAX_INTERNAL_BODY = 4 * 1024 * 1024
_encode = msgspec.json.Encoder().encode


async def read_body(request: Request, struct: type[T], *, limit: int = MAX_INTERNAL_BODY, strict: bool = True) -> T:
    """Decode the body; raises TooLarge before it is read completely, Invalid if it does not match.

    Unless `strict`, numbers may be given as strings.
    """
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.")
    try:
        return msgspec.json.decode(parts, type=struct, strict=strict)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        field, problem = field_and_problem(error)
        raise Invalid(f"The body is malformed: {error}", errors={field: problem} if field else {}) from error


PlainEndpoint: TypeAlias = Callable[[Request], Awaitable[msgspec.Struct | Response]]


class PlainRoute(Route):
    """A route that is answered without FastAPI's layers, for calls that every message or request makes.

    The endpoint verifies its caller and reads the body itself. It returns a struct or a `Response`.
    """

    def __init__(self, path: str, endpoint: PlainEndpoint, method: str) -> None:
        super().__init__(path, self.answer, methods=[method])
        self.key = method, path
        self._endpoint = endpoint

    async def answer(self, request: Request) -> Response:
        request.scope["route"] = self  # for the metrics
        answered = await self._endpoint(request)
        if isinstance(answered, Response):
            return answered
        return Response(_encode(answered), media_type="application/json")


def add_plain_route(router: APIRouter, path: str, endpoint: PlainEndpoint, *, method: str = "POST") -> None:
    """Add a `PlainRoute`. `path` is the complete path, without parameters."""
    router.routes.append(PlainRoute(path, endpoint, method))


def answer_plain_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Add middleware that answers the plain routes of these routers. It is inside of the middleware added later."""
    routes = [route for router in routers for route in router.routes if isinstance(route, PlainRoute)]
    app.add_middleware(_PlainRoutes, routes=routes, handlers=app.exception_handlers)


class _PlainRoutes:
    """ASGI middleware: answer plain routes before FastAPI searches for a route, which takes 60 to 100 µs.

    `handlers` are the application's handlers of exceptions by type; bugs are left to the outer middleware.
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[PlainRoute], handlers: Mapping[Any, Callable[[Request, Any], Any]]
    ) -> None:
        self._app, self._handlers = app, handlers
        self._routes = {route.key: route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await route.answer(request)
        except Exception as error:
            handler = next((self._handlers[one] for one in type(error).__mro__[:-3] if one in self._handlers), None)
            if handler is None:
                raise
            response = await handler(request, error)
        await response(scope, receive, send)


@dataclass(frozen=True)
class JsonBody:
    """Marks the parameter of an endpoint that is the body, as in `body: Annotated[NewMessage, JsonBody(strict=False)]`.

    The body is read by `read_body`, after dependencies and other parameters are resolved. A route or router with a
    smaller limit declares it as `max_body_size`.
    """

    strict: bool = True


Body: TypeAlias = Annotated[T, JsonBody()]
"""The body of an endpoint, as in `body: Body[UsersRequest]`."""


class StructRoute(APIRoute):
    """A route that answers with the struct that its endpoint returns, and documents it by the return annotation.

    The endpoint returns a struct, a list or a `Page` of structs, or None if the status allows no body. It may declare a
    parameter of type `Response` to set cookies, headers, or a status other than that of the route. An endpoint that
    returns a `Response` answers with it, and documents it with `responses`.

    Raises TypeError if the endpoint does not declare what it returns, or declares a type that does not fit the status.
    """

    def __init__(self, path: str, endpoint: Callable[..., Awaitable[Any]], **options: Any) -> None:
        signature = inspect.signature(endpoint, eval_str=True)
        answer, status = signature.return_annotation, options.get("status_code") or 200
        if answer is inspect.Signature.empty:
            raise TypeError(f"{endpoint.__qualname__} does not declare what it returns")
        if not _is_response(answer):
            if (answer is None) is is_body_allowed_for_status_code(status):
                raise TypeError(f"{endpoint.__qualname__} returns {answer}, which does not fit the status {status}")
            documented = {} if answer is None else answers(answer, status)
            options["responses"] = documented | (options.get("responses") or {})
        if (body := _find_body(signature)) is not None:
            options["openapi_extra"] = accepts(body.struct) | (options.get("openapi_extra") or {})
        super().__init__(path, _adapt(endpoint, signature, body, status), **options | {"response_model": None})


@dataclass(frozen=True)
class _BodyParameter:
    name: str
    struct: Any
    strict: bool


def _find_body(signature: inspect.Signature) -> _BodyParameter | None:
    for name, parameter in signature.parameters.items():
        for marker in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(marker, JsonBody):
                return _BodyParameter(name, parameter.annotation.__origin__, marker.strict)
    return None


def _is_response(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Response)


def _adapt(
    endpoint: Callable[..., Awaitable[Any]], signature: inspect.Signature, body: _BodyParameter | None, status: int
) -> Callable[..., Awaitable[Response]]:
    """Return what FastAPI calls instead of the endpoint: it does not take the body, and returns a `Response`."""
    is_empty = signature.return_annotation is None
    own = {one.annotation: one.name for one in signature.parameters.values() if one.annotation in (Request, Response)}
    request_name, response_name = own.get(Request), own.get(Response)

    @wraps(endpoint)
    async def call(_request: Request, _response: Response, **values: Any) -> Response:
        if request_name is not None:
            values[request_name] = _request
        if response_name is not None:
            values[response_name] = _response
        if body is not None:
            values[body.name] = await read_body(_request, body.struct, strict=body.strict)
        answer = await endpoint(**values)
        if isinstance(answer, Response):
            return answer
        code = _response.status_code or status
        if is_empty:
            response = Response(status_code=code)
        else:
            response = Response(_encode(answer), code, media_type="application/json")
        response.raw_headers += _response.raw_headers
        return response

    replaced = {*own.values()} if body is None else {*own.values(), body.name}
    kept = [one.replace(kind=one.KEYWORD_ONLY) for one in signature.parameters.values() if one.name not in replaced]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=cls)
        for name, cls in (("_request", Request), ("_response", Response))
    ]
    call.__signature__ = signature.replace(parameters=kept + added)  # type: ignore[attr-defined]
    return call
