"""Endpoints that take and return structs: what they answer, and what the OpenAPI document says about them."""

from typing import Annotated, Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response

from shared.errors import Forbidden
from shared.web.callers import PathId
from shared.web.errors import install_error_handlers
from shared.web.openapi import Page, answers, install_openapi
from shared.web.routing import Body, JsonBody, StructRoute

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


class Thing(msgspec.Struct):
    name: str
    size: int = 0


async def locked(request: Request) -> None:
    if request.headers.get("X-Key") is None:
        raise Forbidden("This needs a key.")


router = APIRouter(prefix="/things", route_class=StructRoute, max_body_size=1_000)


@router.get("/one")
async def get_one() -> Thing:
    return Thing("one", 1)


@router.get("")
async def list_all() -> list[Thing]:
    return [Thing("one", 1)]


@router.get("/page")
async def get_page() -> Page[Thing]:
    return Page([Thing("one", 1)], "next")


@router.post("", status_code=201)
async def add(response: Response, body: Annotated[Thing, JsonBody(strict=False)]) -> Thing:
    response.status_code = 200 if body.name == "old" else 201
    response.headers["X-Name"] = body.name
    response.set_cookie("thing", body.name)
    return body


@router.put("/{thing_id}", dependencies=[Depends(locked)])
async def replace(thing_id: PathId, request: Request, body: Body[Thing]) -> Thing:
    return Thing(f"{request.method} {thing_id} {body.name}", body.size)


@router.delete("", status_code=204)
async def clear(response: Response) -> None:
    response.delete_cookie("thing")


@router.get("/raw", responses=answers(Thing))
async def get_raw() -> Response:
    return Response(b'{"name":"raw","size":3}', media_type="application/json", headers={"Cache-Control": "no-store"})


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    install_openapi(app)
    app.include_router(router, prefix="/api")
    return app


@pytest.fixture
async def client(app: FastAPI):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/api") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/things/one", b'{"name":"one","size":1}'),
        ("/things", b'[{"name":"one","size":1}]'),
        ("/things/page", b'{"items":[{"name":"one","size":1}],"next":"next"}'),
        ("/things/raw", b'{"name":"raw","size":3}'),
    ],
)
async def test_what_an_endpoint_returns_is_the_answer(client: httpx.AsyncClient, path: str, body: bytes):
    answer = await client.get(path)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("name", "status"), [("new", 201), ("old", 200)])
async def test_an_endpoint_sets_status_headers_and_cookies(client: httpx.AsyncClient, name: str, status: int):
    answer = await client.post("/things", json={"name": name, "size": "4"})
    assert (answer.status_code, answer.json()) == (status, {"name": name, "size": 4})
    assert (answer.headers["X-Name"], answer.cookies["thing"]) == (name, name)


async def test_none_is_an_answer_without_a_body(client: httpx.AsyncClient):
    answer = await client.delete("/things")
    assert (answer.status_code, answer.content) == (204, b"")
    assert set(answer.headers) == {"set-cookie"}


async def test_a_returned_response_is_the_answer(client: httpx.AsyncClient):
    assert (await client.get("/things/raw")).headers["Cache-Control"] == "no-store"


async def test_the_body_is_decoded_into_its_parameter(client: httpx.AsyncClient):
    answer = await client.put(f"/things/{ID}", json={"name": "x", "size": 2}, headers={"X-Key": "k"})
    assert answer.json() == {"name": f"PUT {ID} x", "size": 2}


async def test_a_body_that_does_not_fit_is_invalid(client: httpx.AsyncClient):
    answer = await client.put(f"/things/{ID}", json={"name": "x", "size": "2"}, headers={"X-Key": "k"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "size", "message": "Expected `int`, got `str`"}]
    assert (await client.post("/things", content=b"{")).status_code == 422


async def test_a_body_beyond_the_limit_of_the_router_is_too_large(client: httpx.AsyncClient):
    answer = await client.post("/things", json={"name": "x" * 1_000})
    assert (answer.status_code, answer.json()["title"]) == (413, "Too large")


@pytest.mark.parametrize(
    ("path", "headers", "status"), [(f"/things/{ID}", {}, 403), ("/things/nonsense", {"X-Key": "k"}, 404)]
)
async def test_dependencies_and_other_parameters_are_checked_before_the_body(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
):
    assert (await client.put(path, content=b"{", headers=headers)).status_code == status


def operation(app: FastAPI, path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()["paths"][f"/api/things{path}"][method]
    return found


THING = {"$ref": "#/components/schemas/Thing"}


@pytest.mark.parametrize(
    ("path", "method", "status", "schema"),
    [
        ("/one", "get", "200", THING),
        ("", "get", "200", {"type": "array", "items": THING}),
        ("", "post", "201", THING),
        ("/raw", "get", "200", THING),
    ],
)
def test_the_annotation_of_the_return_value_is_documented(
    app: FastAPI, path: str, method: str, status: str, schema: dict[str, Any]
):
    assert operation(app, path, method)["responses"][status]["content"] == {"application/json": {"schema": schema}}
    assert app.openapi()["components"]["schemas"]["Thing"]["required"] == ["name"]


def test_a_page_is_documented_with_its_items(app: FastAPI):
    schema = operation(app, "/page", "get")["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["properties"]["items"] == {"type": "array", "items": THING}
    assert schema["required"] == ["items", "next"]


@pytest.mark.parametrize(("path", "method"), [("", "post"), ("/{thing_id}", "put")])
def test_the_parameter_of_the_body_is_documented(app: FastAPI, path: str, method: str):
    body = operation(app, path, method)["requestBody"]
    assert body == {"required": True, "content": {"application/json": {"schema": THING}}}


def test_errors_are_documented_as_problem_details(app: FastAPI):
    for path, method in (("/one", "get"), ("", "delete"), ("/{thing_id}", "put")):
        responses = operation(app, path, method)["responses"]
        assert list(responses["4XX"]["content"]) == ["application/problem+json"]
        assert "422" not in responses
    assert "content" not in operation(app, "", "delete")["responses"]["204"]


def test_an_endpoint_must_declare_what_it_returns():
    async def undeclared(): ...

    with pytest.raises(TypeError, match="undeclared does not declare"):
        router.get("/undeclared")(undeclared)


@pytest.mark.parametrize("status", [200, 204])
def test_what_an_endpoint_returns_must_fit_its_status(status: int):
    async def empty() -> None: ...
    async def thing() -> Thing: ...

    with pytest.raises(TypeError, match=f"does not fit the status {status}"):
        router.get("/unfit", status_code=status)(empty if status == 200 else thing)
