"""Bodies of routes as msgspec structs: encoding, decoding, and their schemas in the OpenAPI document."""

from typing import Any, TypeVar

import msgspec
from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from shared.errors import Invalid, ProblemDetails, TooLarge, field_and_problem

T = TypeVar("T")
REF = "#/components/schemas/{name}"
MAX_INTERNAL_BODY = 4 * 1024 * 1024
_structs: list[Any] = []
"""Structs by number: the document passes through FastAPI's own models, which can hold a number but no type."""


class Page(msgspec.Struct):
    """One page of a list; `next` is the cursor of the following one."""

    items: list[Any]
    next: str | None = None


def reply(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


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


def json_body(struct: type[T], *, limit: int) -> Any:
    """Return the dependency of an endpoint whose body is a msgspec struct; declare the body with `accepts` as well."""

    async def read(request: Request) -> T:
        return await read_body(request, struct, limit=limit, strict=False)

    return Depends(read)


def accepts(struct: Any) -> dict[str, Any]:
    """Return the `openapi_extra` of a route whose body is `struct`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"webchat_struct": _number(struct)}}}}


def answers(struct: Any, status: int = 200, *, page: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that answers with `struct`, or with a page of it."""
    return {
        status: {"description": "", "webchat_struct": _number(struct), "webchat_page": page},
        "4XX": {"description": "", "webchat_struct": _number(ProblemDetails), "webchat_page": False},
    }


def _number(struct: Any) -> int:
    _structs.append(struct)
    return len(_structs) - 1


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` insert the schemas of the structs that routes name with `answers`."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _document_errors(document)
            _fill(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]


def _document_errors(document: dict[str, Any]) -> None:
    """Document errors of routes without a body like those of other routes, instead of FastAPI's own error models."""
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            problem = {"description": "Client Error", "webchat_struct": _number(ProblemDetails), "webchat_page": False}
            operation["responses"].setdefault("4XX", problem)
    for own in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(own, None)


def _fill(document: dict[str, Any]) -> None:
    found = [
        response
        for methods in document["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
        if "webchat_struct" in response
    ]
    bodies = [
        content
        for methods in document["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "webchat_struct" in content
    ]
    structs = [_structs[item.pop("webchat_struct")] for item in [*found, *bodies]]
    schemas, components = msgspec.json.schema_components(structs, ref_template=REF)
    for content, schema in zip(bodies, schemas[len(found) :], strict=True):
        content["schema"] = schema
    for response, struct, schema in zip(found, structs, schemas, strict=False):
        media = "application/problem+json" if struct is ProblemDetails else "application/json"
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
