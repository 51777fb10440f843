"""Routes that are answered without FastAPI's layers, which take longer than a short endpoint does."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias, get_args

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import NotFound
from shared.ids import is_id
from shared.web.callers import PathId
from shared.web.routing import JsonBody, StructRoute, find_marker

Resolve: TypeAlias = Callable[[Request], Awaitable[Any]]


class PlainRoute(StructRoute):
    """A route that FastAPI documents, and that `PlainRoutes` answers in the same way.

    The parameters of its endpoint may be `Request`, `Response`, dependencies on functions of a request, path parameters
    of type `PathId`, a model of the query (`Annotated[Model, Query()]`), and a body.

    Raises TypeError for any other parameter, and for a body with a `max_body_size`, which only FastAPI applies.
    """

    def __init__(self, path: str, endpoint: Callable[..., Awaitable[Any]], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._dependencies = [_function_of(one) for one in options.get("dependencies") or ()]
        parameters = inspect.signature(endpoint, eval_str=True).parameters.values()
        if options.get("max_body_size") is not None and any(
            find_marker(one, JsonBody) is not None for one in parameters
        ):
            raise TypeError(f"{endpoint.__qualname__} has a body, to which max_body_size does not apply")
        resolvers = [found for one in parameters if (found := _resolver_of(endpoint, one)) is not None]
        self._resolvers = [(name, resolve) for _, name, resolve in sorted(resolvers, key=lambda found: found[0])]

    async def answer(self, request: Request) -> Response:
        """Return the endpoint's answer. Dependencies are called first, then the path, the query and the body follow."""
        for depend in self._dependencies:
            await depend(request)
        values = {name: await resolve(request) for name, resolve in self._resolvers}
        answer: Response = await self.endpoint(_request=request, _response=_additions(), **values)
        return answer


def _additions() -> Response:
    """Return a response to which an endpoint adds a status, headers and cookies, as FastAPI does."""
    response = Response()
    response.raw_headers = []
    response.status_code = None  # type: ignore[assignment]
    return response


_DEPENDENCY, _PATH, _QUERY = range(3)


def _resolver_of(endpoint: Callable[..., Any], parameter: inspect.Parameter) -> tuple[int, str, Resolve] | None:
    """Return when and how a parameter gets its value, None if the endpoint's adapter provides it."""
    name, annotation = parameter.name, parameter.annotation
    if annotation in (Request, Response) or find_marker(parameter, JsonBody) is not None:
        return None
    if annotation == PathId:
        return _PATH, name, _resolve_id(name)
    if (dependency := find_marker(parameter, Depends)) is not None:
        return _DEPENDENCY, name, _function_of(dependency)
    model = get_args(annotation)[0] if find_marker(parameter, Query) is not None else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return _QUERY, name, _resolve_query(model)
    raise TypeError(f"{endpoint.__qualname__}: a plain route cannot provide the parameter {name}")


def _function_of(dependency: Depends) -> Resolve:
    function = dependency.dependency
    if not inspect.iscoroutinefunction(function) or list(inspect.signature(function).parameters) != ["request"]:
        raise TypeError(f"a plain route needs a coroutine function of a request, not {function}")
    return function


def _resolve_id(name: str) -> Resolve:
    async def resolve(request: Request) -> str:
        value: str = request.path_params[name]
        if not is_id(value):
            raise NotFound("There is nothing at this address.")
        return value

    return resolve


def _resolve_query(model: type[BaseModel]) -> Resolve:
    async def resolve(request: Request) -> BaseModel:
        try:
            return model.model_validate(dict(request.query_params))
        except ValidationError as error:
            errors = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(errors) from error

    return resolve


Handlers: TypeAlias = Mapping[Any, Callable[..., Any]]


class PlainRoutes:
    """ASGI middleware: answer the requests of plain routes. `handlers` are the application's handlers of exceptions."""

    def __init__(self, app: ASGIApp, routes: Sequence[PlainRoute], handlers: Handlers) -> None:
        self._app, self._handlers = app, handlers
        self._routes = [(method, route) for route in routes for method in route.methods or ()]
        self._fixed = {(method, route.path): route for method, route in self._routes if not route.param_convertors}
        self._patterns = [(method, route) for method, route in self._routes if route.param_convertors]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            response = await route.answer(request)
        except Exception as error:
            handle = self._handler_of(error)
            if handle is None:
                raise
            response = await handle(request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> PlainRoute | None:
        method, path = scope["method"], scope["path"]
        if (route := self._fixed.get((method, path))) is not None:
            scope["path_params"] = {}
            return route
        for own_method, route in self._patterns:
            if own_method == method and (found := route.path_regex.match(path)) is not None:
                scope["path_params"] = found.groupdict()
                return route
        return None

    def _handler_of(self, error: Exception) -> Callable[..., Awaitable[Response]] | None:
        """Return the handler of the closest class. Unexpected exceptions have none here: an outer layer logs them."""
        classes = type(error).__mro__
        return next((self._handlers[one] for one in classes if one is not Exception and one in self._handlers), None)
