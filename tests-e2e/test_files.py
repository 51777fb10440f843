"""Files: sent by WebSocket and HTTP, readable by members only, stored once, rejected clearly, safe during faults."""

import asyncio
import base64
import io
import itertools
import uuid
import zlib
from collections.abc import Awaitable, Callable
from struct import pack
from typing import Any

import httpx
import pytest
from people import Frame, Person, Rejected, Socket
from PIL import Image
from stack import Stack
from waiting import eventually

SomeOne = Callable[[str], Awaitable[Person]]


def picture(width: int = 640, height: int = 480, kind: str = "JPEG", **options: Any) -> bytes:
    output = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(output, kind, **options)
    return output.getvalue()


def bomb() -> bytes:
    """A PNG of a few kilobytes that claims 60,000 × 60,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))

    header = pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 60_001 * 20)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animated_bomb() -> bytes:
    frames = [Image.new("P", (1, 1), n % 2) for n in range(3000)]
    output = io.BytesIO()
    frames[0].save(output, "GIF", save_all=True, append_images=frames[1:], duration=20, optimize=False)
    return output.getvalue()


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_file_by_websocket_and_by_http(someone: SomeOne):
    ana, ben, stranger = await someone("ana"), await someone("ben"), await someone("stranger")
    room_id = await ana.direct(ben)
    a, b = await ana.open(), await ben.open()
    data = picture()
    by_socket = await a.ask(
        "file.upload", room_id=room_id, client_id=str(uuid.uuid4()), filename="바다.jpg", data=text_of(data), body="봐!"
    )
    event = await b.event("message.created", seq=by_socket["seq"])
    assert (event["kind"], event["body"], event["attachments"]) == ("file", "봐!", [by_socket["attachment"]])
    attachment = by_socket["attachment"]
    assert (attachment["filename"], attachment["content_type"]) == ("바다.jpg", "image/jpeg")
    assert (attachment["width"], attachment["height"]) == (640, 480)

    document = b"%PDF-1.4\n" + b"WebChat " * 300_000
    by_http = await ana.call(
        "POST", "/media/attachments", status=201, data={"room_id": room_id}, files={"file": ("일정.pdf", document)}
    )
    sent = await a.send(room_id, "", attachment_ids=[by_http["attachment_id"]])
    event = await b.event("message.created", seq=sent["seq"])
    assert [one["attachment_id"] for one in event["attachments"]] == [by_http["attachment_id"]]

    whole = await ben.http.get(by_http["url"])
    assert (whole.status_code, whole.content) == (200, document)
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "attachment" in whole.headers["content-disposition"] or "inline" in whole.headers["content-disposition"]
    part = await ben.http.get(by_http["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, document[100:200])
    thumbnail = await ben.http.get(attachment["thumbnail_url"])
    assert max(Image.open(io.BytesIO(thumbnail.content)).size) <= 400
    for path in (by_http["url"], attachment["url"], attachment["thumbnail_url"]):
        assert (await stranger.http.get(path)).status_code == 404
        async with httpx.AsyncClient(base_url=ana.url) as nobody:
            assert (await nobody.get(path)).status_code == 401
    s = await stranger.open()
    own = await stranger.group("Mine")
    for target in (room_id, own):
        with pytest.raises(Rejected):
            await s.send(target, "", attachment_ids=[by_http["attachment_id"]])


async def test_the_same_upload_again_is_one_attachment_and_one_message(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    upload = {"room_id": room_id, "client_id": str(uuid.uuid4()), "filename": "a.jpg", "data": text_of(picture())}
    first = await (await ana.open()).ask("file.upload", **upload)
    again = await (await ana.open()).ask("file.upload", **upload)
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert (again["seq"], again["attachment"]) == (first["seq"], first["attachment"])
    with pytest.raises(Rejected) as rejected:
        await ana.sockets[-1].ask("file.upload", **(upload | {"data": text_of(picture(100, 100))}))
    assert rejected.value.code == "conflict"
    assert len((await ben.messages(room_id))["items"]) == 1


REFUSED = {
    "too large": ("large.bin", lambda: text_of(b"x" * (5 * 1024 * 1024 + 1)), "too_large"),
    "broken base64": ("broken.jpg", lambda: "not base64 at all!", "invalid"),
    "decompression bomb": ("bomb.png", lambda: text_of(bomb()), "invalid"),
    "animated bomb": ("animated.gif", lambda: text_of(animated_bomb()), "invalid"),
    "no name": ("", lambda: text_of(b"x"), "invalid"),
    "long name": ("x" * 256, lambda: text_of(b"x"), "invalid"),
}


async def test_a_rejected_file_leaves_nothing(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    socket = await ana.open()
    for what, (filename, data, code) in REFUSED.items():
        upload = {"room_id": room_id, "client_id": str(uuid.uuid4()), "filename": filename, "data": data()}
        with pytest.raises(Rejected) as rejected:
            await socket.ask("file.upload", **upload)
        assert rejected.value.code == code, what
        assert rejected.value.reply["detail"], what
    assert (await ben.messages(room_id))["items"] == []
    await socket.ask("ping")


async def test_the_type_comes_from_the_content_and_names_are_sanitised(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a = await ana.open()

    async def upload(filename: str, data: bytes) -> Frame:
        reply = await a.ask(
            "file.upload", room_id=room_id, client_id=str(uuid.uuid4()), filename=filename, data=text_of(data)
        )
        attachment: Frame = reply["attachment"]
        return attachment

    page = b"<html><script>alert(1)</script></html>"
    for filename, data in (("cute.png", page), ("photo.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>" * 9)):
        lying = await upload(filename, data)
        assert lying["content_type"] in {"text/html", "text/plain", "image/svg+xml", "application/octet-stream"}
        assert "thumbnail_url" not in lying
        got = await ben.http.get(lying["url"])
        assert got.headers["content-disposition"].startswith("attachment")
        assert got.headers["x-content-type-options"] == "nosniff"
    polyglot = await upload("both.gif", picture(kind="GIF") + page)
    got = await ben.http.get(polyglot["url"])
    assert page not in got.content or got.headers["content-disposition"].startswith("attachment")
    named = await upload("../../etc/\x07pass\nwd\u202e.txt", b"harmless text")
    assert not set("/\\\x07\n") & set(named["filename"])
    located = Image.new("RGB", (64, 64))
    exif = located.getexif()
    exif[0x8825] = {1: "N", 2: (37.0, 33.0, 0.0)}
    output = io.BytesIO()
    located.save(output, "JPEG", exif=exif)
    clean = await ben.http.get((await upload("here.jpg", output.getvalue()))["url"])
    assert Image.open(io.BytesIO(clean.content)).getexif().get_ifd(0x8825) == {}


async def test_deleting_a_message_deletes_its_file(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a = await ana.open()
    reply = await a.ask(
        "file.upload", room_id=room_id, client_id=str(uuid.uuid4()), filename="a.jpg", data=text_of(picture())
    )
    url = reply["attachment"]["url"]
    assert (await ben.http.get(url)).status_code == 200
    await a.ask("message.delete", room_id=room_id, seq=reply["seq"])

    async def gone() -> bool:
        return (await ben.http.get(url)).status_code == 404

    await eventually(gone)


async def test_media_killed_during_uploads(someone: SomeOne, stack: Stack):
    """Each upload is repeated with the same client_id until it is acknowledged, and exists once."""
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    done: dict[str, Frame] = {}
    enough = asyncio.Event()

    async def until_done(socket: Socket, filename: str) -> Frame:
        client_id, data = str(uuid.uuid4()), text_of(b"%PDF-1.4\n" + filename.encode() + b"x" * 1_000_000)
        while True:
            try:
                return await socket.ask(
                    "file.upload", seconds=90, room_id=room_id, client_id=client_id, filename=filename, data=data
                )
            except Rejected as rejected:
                if rejected.code != "unavailable":
                    raise
                await asyncio.sleep(0.05)

    async def upload_on(who: int) -> None:
        """Upload one file after the other, so that an upload is always in progress."""
        socket = await ana.open()
        for number in itertools.count():
            filename = f"{who} {number}.pdf"
            done[filename] = await until_done(socket, filename)
            if enough.is_set():
                return

    uploading = [asyncio.create_task(upload_on(who)) for who in range(3)]
    for _ in range(2):
        before = len(done)
        await eventually(lambda n=before: len(done) > n, 60)  # type: ignore[misc]
        await asyncio.to_thread(stack.kill, "media")
    enough.set()
    await asyncio.wait_for(asyncio.gather(*uploading), 90)
    assert len({reply["seq"] for reply in done.values()}) == len(done)
    messages = (await ben.messages(room_id, limit=200))["items"]
    assert sorted(message["attachments"][0]["filename"] for message in messages) == sorted(done)

    async def all_there() -> bool:
        answers = [await ben.http.get(reply["attachment"]["url"]) for reply in done.values()]
        return [answer.status_code for answer in answers] == [200] * len(done)

    await eventually(all_there, 60)


async def test_an_s3_outage_does_not_affect_texts(someone: SomeOne, stack: Stack):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a, b = await ana.open(), await ben.open()
    upload = {"room_id": room_id, "client_id": str(uuid.uuid4()), "filename": "a.bin", "data": text_of(b"bytes" * 999)}
    with stack.frozen("s3"):
        waiting = asyncio.create_task(a.ask("file.upload", seconds=90, **upload))
        for number in range(20):
            await a.send(room_id, f"text {number}")
        await b.event("message.created", body="text 19")
        with pytest.raises(Rejected) as rejected:
            await waiting
        assert rejected.value.code == "unavailable"

    async def accepted() -> bool:
        try:
            await a.ask("file.upload", seconds=90, **upload)
        except Rejected as rejected:
            assert rejected.code == "unavailable"  # noqa: PT017 - recovery may take a moment
            return False
        return True

    await eventually(accepted, 60)
    await b.until(lambda s: [e for e in s.events(room_id) if e.get("attachments")])
