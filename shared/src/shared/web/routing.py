"""Routes whose endpoints declare their body and what they return only in their signature, as msgspec structs."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from fastapi.utils import is_body_allowed_for_status_code

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
        if (marker := find_marker(parameter, JsonBody)) is not None:
            return _BodyParameter(name, parameter.annotation.__origin__, marker.strict)
    return None


def find_marker(parameter: inspect.Parameter, kind: type[T]) -> T | None:
    """Return the marker of this kind in an annotation such as `Annotated[Thing, marker]`, or None."""
    markers = getattr(parameter.annotation, "__metadata__", ())
    return next((marker for marker in markers if isinstance(marker, kind)), None)


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
