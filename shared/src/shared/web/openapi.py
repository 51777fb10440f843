"""Routes whose answers are msgspec structs: encoding, decoding, and their part of the OpenAPI document."""

from typing import Any, TypeVar

import msgspec
from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from shared.errors import Invalid, ProblemDetails, TooLarge

T = TypeVar("T")
REF = "#/components/schemas/{name}"
MAX_INTERNAL_BODY = 4 * 1024 * 1024
_shapes: list[Any] = []
"""The document passes through FastAPI's own models before we see it: they carry a number, not a type."""


class Page(msgspec.Struct):
    """One page of a list; `next` is the cursor of the following one."""

    items: list[Any]
    next: str | None = None


def reply(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def read_body(request: Request, shape: type[T], *, limit: int = MAX_INTERNAL_BODY, strict: bool = True) -> T:
    """Decode the request's body as `shape`. Raises TooLarge before it is read whole, Invalid if it does not fit.

    Unless `strict`, numbers may be given as strings.
    """
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.")
    try:
        return msgspec.json.decode(parts, type=shape, strict=strict)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message, _, field = str(error).partition(" - at `$.")
        errors = {field.rstrip("`"): message} if field else {}
        raise Invalid(f"The body does not fit: {error}", errors=errors) from error


def json_body(shape: type[T], *, limit: int) -> Any:
    """Return the dependency of an endpoint whose body is a msgspec struct; declare the body with `accepts` as well."""

    async def read(request: Request) -> T:
        return await read_body(request, shape, limit=limit, strict=False)

    return Depends(read)


def accepts(shape: Any) -> dict[str, Any]:
    """Return the `openapi_extra` of a route whose body is `shape`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"webchat_shape": _number(shape)}}}}


def answers(shape: Any, status: int = 200, *, page: bool = False) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that answers with `shape`, or with a page of it."""
    return {
        status: {"description": "", "webchat_shape": _number(shape), "webchat_page": page},
        "4XX": {"description": "", "webchat_shape": _number(ProblemDetails), "webchat_page": False},
    }


def _number(shape: Any) -> int:
    _shapes.append(shape)
    return len(_shapes) - 1


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` fill in the msgspec shapes named by `answers`."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _name_problems(document)
            _fill(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]


def _name_problems(document: dict[str, Any]) -> None:
    """Routes that answer nothing refuse as the others do; the framework would say so in a form of its own."""
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            problem = {"description": "Client Error", "webchat_shape": _number(ProblemDetails), "webchat_page": False}
            operation["responses"].setdefault("4XX", problem)
    for own in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(own, None)


def _fill(document: dict[str, Any]) -> None:
    found = [
        response
        for methods in document["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        if "webchat_shape" in response
    ]
    bodies = [
        content
        for methods in document["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "webchat_shape" in content
    ]
    shapes = [_shapes[place.pop("webchat_shape")] for place in [*found, *bodies]]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=REF)
    for content, schema in zip(bodies, schemas[len(found) :], strict=True):
        content["schema"] = schema
    for response, shape, schema in zip(found, shapes, schemas, strict=False):
        media = "application/problem+json" if shape is ProblemDetails else "application/json"
        if response.pop("webchat_page"):
            schema = _page_of(schema)  # noqa: PLW2901
        response.setdefault("content", {}).pop("application/json", None)
        response["content"][media] = {"schema": schema}
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)


def _page_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": schema},
            "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    }
