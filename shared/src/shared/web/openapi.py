"""The schemas of msgspec types in the OpenAPI document."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.errors import ProblemDetails

T = TypeVar("T")
REF = "#/components/schemas/{name}"
_types: list[Any] = []
"""Types by number: the document passes through FastAPI's own models, which can hold a number but no type."""


class Page(msgspec.Struct, Generic[T]):
    """One page of a list; `next` is the cursor of the following one."""

    items: list[T]
    next: str | None = None


def accepts(body: Any) -> dict[str, Any]:
    """Return the `openapi_extra` of a route whose body is of this type."""
    return {"requestBody": {"required": True, "content": _content(body)}}


def answers(answer: Any, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that returns this type in an encoded `Response`."""
    return {status: {"description": "", "content": _content(answer)}}


def _content(body: Any, media: str = "application/json") -> dict[str, Any]:
    _types.append(body)
    return {media: {"webchat_type": len(_types) - 1}}


def install_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` insert the schemas of the types that routes name with `accepts` and `answers`."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _document_errors(document)
            _insert_schemas(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]


def _document_errors(document: dict[str, Any]) -> None:
    """Document the errors of all routes as problem details, instead of FastAPI's own error models."""
    for operation in _operations(document):
        operation["responses"].pop("422", None)
        problem = _content(ProblemDetails, "application/problem+json")
        operation["responses"]["4XX"] = {"description": "Client Error", "content": problem}
    for own in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(own, None)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def _insert_schemas(document: dict[str, Any]) -> None:
    described = [one for operation in _operations(document) for one in operation["responses"].values()]
    described += [operation["requestBody"] for operation in _operations(document) if "requestBody" in operation]
    contents = [one for each in described for one in each.get("content", {}).values() if "webchat_type" in one]
    types = [_types[content.pop("webchat_type")] for content in contents]
    items = [get_args(one)[0] if get_origin(one) is Page else one for one in types]
    schemas, components = msgspec.json.schema_components(items, ref_template=REF)
    for content, type_, schema in zip(contents, types, schemas, strict=True):
        content["schema"] = schema if get_origin(type_) is not Page else _page_of(schema)
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
