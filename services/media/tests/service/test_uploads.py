"""Uploads: forms and JSON, limits, authorization, deduplication."""

import asyncio
import base64
import io
import json

import httpx
from fastapi import FastAPI
from PIL import Image

from shared.ids import new_id
from shared.redis.person_rate import UPLOADS_OF_ONE
from shared.testing.fixtures import eventually, on_each_database
from shared.testing.nested_json import check_nested_bodies
from shared.testing.once import plain_client

from .conftest import SECRET, Rows, client_of, with_settings

MIB = 1024 * 1024


@on_each_database
async def test_uploading_a_form(anna, objects, rows):
    room = await anna.group()
    made = await anna.stored(b"%PDF-1.7 hello", "Bericht für 민지.pdf", room_id=room)
    assert made == {
        "attachment_id": made["attachment_id"], "filename": "Bericht für 민지.pdf", "content_type": "application/pdf",
        "size": 14, "url": f"/api/media/attachments/{made['attachment_id']}/content",
    }  # fmt: skip
    assert await rows("SELECT state, object_key FROM attachment") == [("stored", (await objects())[0])]
    assert made["attachment_id"] not in (await objects())[0]
    answer = await anna.content(made["attachment_id"])
    assert answer.content == b"%PDF-1.7 hello"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")


@with_settings(rate_limits=True)
async def test_uploads_of_one_person_have_a_rate(anna, berta):
    """An upload that is refused counts too."""
    empty = [await anna.upload(b"") for _ in range(UPLOADS_OF_ONE.burst)]
    assert {answer.status_code for answer in empty} == {422}

    async def too_many() -> httpx.Response | None:
        answer = await anna.upload(b"")
        return answer if answer.status_code == 429 else None

    answer = await eventually(too_many)  # a token comes every two seconds
    assert answer.json()["type"] == "urn:webchat:problem:rate_limited"
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert (await berta.upload(b"")).status_code == 422


async def test_uploading_base64(anna):
    room = await anna.group()
    body = {"filename": "x.txt", "data": base64.b64encode(b"hi").decode(), "room_id": room, "client_id": new_id()}
    first, second = [await anna.media.post("/attachments", json=body) for _ in range(2)]
    assert (first.status_code, first.json()["content_type"]) == (201, "text/plain")
    assert second.json() == first.json()


async def test_a_large_file_is_stored_as_a_multipart_upload(anna):
    room = await anna.group()
    data = b"\x01\x02large" * MIB
    made = await anna.stored(data, "big.bin", room_id=room)
    assert made["size"] == len(data)
    assert (await anna.content(made["attachment_id"])).content == data


@with_settings(max_base64_bytes=MIB // 2, max_upload_bytes=2 * MIB)
async def test_size_limits_of_base64(anna, settings, objects):
    room = await anna.group()
    limit = settings.max_base64_bytes
    for size, status in ((limit, 201), (limit + 1, 413)):
        data = base64.b64encode(b"\x01" * size).decode()
        body = {"filename": "x", "data": data, "room_id": room}
        assert (await anna.media.post("/attachments", json=body)).status_code == status, size
    huge = json.dumps({"filename": "x", "data": "A" * MIB, "room_id": room}).encode()

    async def unannounced():
        for start in range(0, len(huge), 65536):
            yield huge[start : start + 65536]

    headers = {"Content-Type": "application/json"}
    assert (await anna.media.post("/attachments", content=unannounced(), headers=headers)).status_code == 413
    assert len(await objects()) == 1


@with_settings(max_base64_bytes=MIB // 2, max_upload_bytes=2 * MIB)
async def test_a_too_large_form_is_not_read_to_its_end(anna, settings):
    room = await anna.group()
    sent = 0

    async def endless():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            sent += MIB
            yield b"\x00" * MIB

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await anna.media.post("/attachments", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert sent <= settings.max_upload_bytes + 2 * MIB
    assert (await anna.upload(b"\x01" * (settings.max_upload_bytes + 1), room_id=room)).status_code == 413


@with_settings(max_base64_bytes=MIB // 2, max_upload_bytes=MIB)
async def test_refused_uploads_are_audited_without_names_of_files(anna, berta, trail):
    foreign, own = await berta.group(), await anna.group()
    trail.clear()
    for data, room, status in (
        (b"\x01" * 2 * MIB, own, 413),
        (b"", own, 422),
        (b"GIF89a", own, 422),
        (b"x", foreign, 404),
    ):
        assert (await anna.upload(data, "secret.gif", room_id=room)).status_code == status
    assert (
        await anna.media.post("/attachments", content=b"x", headers={"Content-Type": "text/plain"})
    ).status_code == 415
    assert [(line["event.action"], line["event.outcome"]) for line in trail] == [("upload-refuse", "failure")] * 5
    assert {line["user.id"] for line in trail} == {anna.user_id}
    assert all(line["event.reason"] for line in trail)
    assert "secret" not in str(trail)


async def test_invalid_json_bodies(anna):
    for body, field in (
        ({"filename": "x", "data": "!!!!"}, "data"),
        ({"filename": "x", "data": "QUJD\nQUJD"}, "data"),
        ({"filename": "x", "data": "QUJ"}, "data"),
        ({"filename": "x", "data": "QUJD="}, "data"),
        ({"filename": "x", "data": "QQ===="}, "data"),
        ({"filename": "x", "data": "안녕"}, "data"),
        ({"filename": "x", "data": ""}, "file"),
        ({"filename": "x", "data": "QUJD", "client_id": "1"}, "client_id"),
        ({"filename": "x", "data": "QUJD"}, "file"),
    ):
        answer = await anna.media.post("/attachments", json=body)
        assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field]), body


async def test_malformed_forms(anna):
    room = await anna.group()
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhi\r\n'
    bodies = [b"", b"x", part, part + part + b"--x--\r\n", b"--x--\r\n", b"--x\r\n" + b"A: b\r\n" * 200]
    field = b'--x\r\nContent-Disposition: form-data; name="client_id"\r\n\r\n' + b"a" * 300 + b"\r\n"
    for body in [*bodies, field + part + b"--x--\r\n", b"--x\r\n\r\nx\r\n" * 20 + part + b"--x--\r\n"]:
        answer = await anna.media.post(
            "/attachments", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert answer.status_code == 422, body[:80]
        assert answer.headers["content-type"] == "application/problem+json"
    for kind in ("text/plain", "", "multipart/mixed; boundary=x"):
        assert (await anna.media.post("/attachments", content=part, headers={"Content-Type": kind})).status_code == 415
    no_boundary = {"Content-Type": "multipart/form-data"}
    assert (await anna.media.post("/attachments", content=part, headers=no_boundary)).status_code == 422
    assert (await anna.upload(b"", room_id=room)).status_code == 422


async def test_only_members_can_upload_and_read(anna, berta, picture):
    room = await anna.group()
    made = await anna.stored(picture(), "a.png", room_id=room)
    for where in (room, new_id(), "x"):
        assert (await berta.upload(b"hi", room_id=where)).status_code == 404
    for path in ("content", "thumbnail"):
        assert (await berta.media.get(f"/attachments/{made['attachment_id']}/{path}")).status_code == 404
        assert (await anna.media.get(f"/attachments/{made['attachment_id']}/{path}")).status_code == 200
        assert (await anna.media.get(f"/attachments/{new_id()}/{path}")).status_code == 404
        assert (await anna.media.get(f"/attachments/x/{path}")).status_code == 404
    await anna.rooms.post(f"/api/rooms/{room}/members", json={"user_ids": [berta.user_id]})
    assert (await berta.content(made["attachment_id"])).status_code == 200
    await berta.rooms.delete(f"/api/rooms/{room}/members/me")
    assert (await berta.content(made["attachment_id"])).status_code == 404


@on_each_database
async def test_an_avatar_is_a_picture_that_everyone_can_read(anna, berta, picture, internal):
    rejected = await anna.upload(b"%PDF-1.7", "me.png")
    assert (rejected.status_code, rejected.json()["errors"][0]["field"]) == (422, "file")
    made = await anna.stored(picture(), "me.png")
    assert (await berta.content(made["attachment_id"])).status_code == 200
    assert (await internal("avatars", user_id=anna.user_id, attachment_id=made["attachment_id"])).json() == {
        "attachment_id": made["attachment_id"]
    }
    room = await anna.group()
    other = await anna.stored(picture(), "me.png", room_id=room)
    for user, attachment in ((berta, made), (anna, other), (anna, {"attachment_id": "x"})):
        answer = await internal("avatars", user_id=user.user_id, attachment_id=attachment["attachment_id"])
        assert answer.status_code == 404


@on_each_database
async def test_the_same_bytes_are_stored_once(anna, berta, objects):
    room, other = await anna.group(berta), await anna.group()
    first = await anna.stored(b"same", "a.txt", room_id=room)
    assert await anna.stored(b"same", "a.txt", room_id=room) == first
    assert await anna.stored(b"same", "a.txt", room_id=room, client_id=new_id()) == first
    renamed = await anna.stored(b"same", "b.txt", room_id=room)
    assert (renamed["filename"], len(await objects())) == ("b.txt", 1)
    assert renamed["attachment_id"] != first["attachment_id"]
    await berta.stored(b"same", "a.txt", room_id=room)
    await anna.stored(b"same", "a.txt", room_id=other)
    assert len(await objects()) == 3


@on_each_database
async def test_concurrent_duplicates_are_stored_once(anna, objects, rows):
    room = await anna.group()
    client_id = new_id()
    made = await asyncio.gather(
        *(anna.stored(b"\x00" * MIB, "a.bin", room_id=room, client_id=client_id) for _ in range(4)),
        *(anna.stored(b"\x00" * MIB, "a.bin", room_id=room) for _ in range(4)),
    )
    assert len({one["attachment_id"] for one in made}) == 1
    assert len(await objects()) == 1
    assert await rows("SELECT state FROM attachment") == [("stored",)]


@on_each_database
async def test_a_client_id_belongs_to_one_file(anna, berta):
    room, other, client_id = await anna.group(berta), await anna.group(), new_id()
    first = await anna.stored(b"one", "a.txt", room_id=room, client_id=client_id)
    assert await anna.stored(b"one", "a.txt", room_id=room, client_id=client_id.upper()) == first
    for data, where in ((b"two", room), (b"one", other)):
        answer = await anna.upload(data, "a.txt", room_id=where, client_id=client_id)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "client_id")
    assert (await berta.stored(b"one", "a.txt", room_id=room, client_id=client_id)) != first


@on_each_database
async def test_filenames(anna):
    room = await anna.group()
    for name, cleaned in (
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\x.txt", "x.txt"),
        ("a\x00b\x1f.txt", "ab.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("e\u0301te\u0301.txt", "été.txt"),
        ("  사진 최종.txt ", "사진 최종.txt"),
        ("..", "file"),
        ("a/", "file"),
        ("x" * 300 + ".txt", "x" * 251 + ".txt"),
        ("\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") + ".txt", "😀.txt"),
    ):
        body = {"filename": name, "data": base64.b64encode(name.encode()).decode(), "room_id": room}
        made = (await anna.media.post("/attachments", json=body)).json()
        assert made["filename"] == cleaned
        disposition = (await anna.content(made["attachment_id"])).headers["content-disposition"]
        assert disposition.isascii()
        assert disposition.isprintable()
        assert disposition.startswith("attachment; ")


@on_each_database
async def test_the_gateway_uploads_and_resolves(anna, berta, internal):
    room = await anna.group(berta)
    body = {"user_id": anna.user_id, "room_id": room, "client_id": new_id(), "filename": "a.txt"}
    made = (await internal("uploads", data="aGk=", **body)).json()
    assert (await internal("uploads", data="aGk=", **body)).json() == made
    errors = {"QUI=": 409, "?": 422, "A" * 7_000_004: 413}
    for data, status in errors.items():
        answer = await internal("uploads", data=data, **body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    other = await berta.stored(b"x", room_id=room)
    mine = await anna.stored(b"y", room_id=room)
    owner = {"user_id": anna.user_id, "room_id": room}
    ids = [mine["attachment_id"], made["attachment_id"]]
    assert (await internal("attachments", attachment_ids=ids, **owner)).json() == {"attachments": [mine, made]}
    for wrong in (other["attachment_id"], new_id(), "x"):
        assert (await internal("attachments", attachment_ids=[*ids, wrong], **owner)).status_code == 404
    assert (await internal("attachments", attachment_ids=[new_id() for _ in range(11)], **owner)).status_code == 422


async def test_users_cannot_call_internal_routes(anna):
    for path in ("uploads", "attachments", "avatars"):
        assert (await anna.media.post(f"http://media/internal/{path}", json={})).status_code == 403


async def test_a_token_for_another_audience_is_rejected(anna):
    as_user = (await anna.account.get("/check?audience=rooms")).headers["X-WebChat-Token"]
    body = {"service": "chat-gateway", "secret": SECRET, "audience": "rooms"}
    as_service = (await anna.account.post("/internal/token", json=body)).json()["token"]
    anna.media.headers["X-WebChat-Token"] = as_user
    assert (await anna.upload(b"hi", room_id=await anna.group())).status_code == 401
    anna.media.headers["X-WebChat-Token"] = as_service
    assert (await anna.media.post("http://media/internal/attachments", json={})).status_code == 401


async def one_is_pending(rows: Rows) -> None:
    async def is_pending() -> bool:
        return await rows("SELECT state FROM attachment") == [("pending",)]

    await eventually(is_pending)


@with_settings(uploads_at_once=1)
async def test_too_many_concurrent_uploads_get_retry_after(anna, proxy, rows):
    room = await anna.group()
    proxy.open.clear()
    first = asyncio.create_task(anna.upload(b"first", room_id=room))
    await one_is_pending(rows)
    second = await anna.upload(b"second", room_id=room)
    assert (second.status_code, second.headers["retry-after"]) == (503, "2")
    first.cancel()
    await asyncio.wait([first])
    proxy.restore()
    for data in (b"second", b"third"):
        await anna.stored(data, room_id=room)


@with_settings(uploads_at_once_of_one=1)
async def test_one_person_gets_a_part_of_the_concurrent_uploads(anna, berta, proxy, rows):
    room = await anna.group(berta)
    proxy.open.clear()
    first = asyncio.create_task(anna.upload(b"first", room_id=room))
    await one_is_pending(rows)
    refused = await anna.upload(b"second", room_id=room)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert "of your uploads" in refused.json()["detail"]
    other = asyncio.create_task(berta.upload(b"third", room_id=room))
    proxy.restore()
    assert [(await one).status_code for one in (first, other)] == [201, 201]


@with_settings(storage_of_one_bytes=1000)
@on_each_database
async def test_the_files_of_one_person_have_a_limit_together(anna, berta, rows):
    room = await anna.group(berta)
    await anna.stored(b"a" * 600, "a.bin", room_id=room)
    refused = await anna.upload(b"b" * 401, "b.bin", room_id=room)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (413, "file")
    assert "storage" in refused.json()["detail"]
    assert await rows("SELECT state FROM attachment") == [("stored",)]
    await anna.stored(b"b" * 400, "b.bin", room_id=room)
    await anna.stored(b"a" * 600, "a.bin", room_id=room)  # the same file again
    await berta.stored(b"b" * 900, "b.bin", room_id=room)


async def test_a_picture_has_dimensions_and_a_thumbnail(anna, picture):
    room = await anna.group()
    made = await anna.stored(picture("JPEG", (1600, 1200)), "바다.jpg", room_id=room)
    assert (made["content_type"], made["width"], made["height"]) == ("image/jpeg", 1600, 1200)
    answer = await anna.media.get(made["thumbnail_url"].removeprefix("/api/media"))
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/webp", "nosniff")
    assert Image.open(io.BytesIO(answer.content)).size == (400, 300)
    content = await anna.content(made["attachment_id"])
    assert content.headers["content-disposition"].startswith("inline; ")
    assert len(content.content) == made["size"]


async def test_nested_bodies_are_invalid(app: FastAPI, anna, urls):
    body = {"service": "chat-gateway", "secret": SECRET, "audience": "media"}
    async with plain_client(urls["auth_url"]) as auth:
        service = {"X-WebChat-Token": (await auth.post("/internal/token", json=body)).json()["token"]}
    user = {"X-WebChat-Token": anna.media.headers["X-WebChat-Token"]}
    async with client_of(app) as client:
        client.base_url = "http://media"
        assert await check_nested_bodies(app, client, user, service) >= 3
