"""Pictures are re-encoded without metadata, and decompression bombs are rejected."""

import asyncio
import io
import struct
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from shared.testing.once import function_fixture

from .conftest import Person, with_settings

Send = Callable[..., Awaitable[httpx.Response]]
RoundTrip = Callable[..., Awaitable[tuple[dict[str, Any], bytes, Image.Image]]]


@function_fixture()
async def send(anna: Person) -> Send:
    room = await anna.group()

    async def send(data: bytes, name: str = "a.jpg") -> httpx.Response:
        return await anna.upload(data, name, room_id=room)

    return send


@pytest.fixture
async def round_trip(anna: Person, send: Send) -> RoundTrip:
    """Upload and download a picture; return the answer, the bytes, and the opened picture."""

    async def round_trip(data: bytes, name: str = "a.jpg") -> tuple[dict[str, Any], bytes, Image.Image]:
        made = (await send(data, name)).json()
        content = (await anna.content(made["attachment_id"])).content
        return made, content, Image.open(io.BytesIO(content))

    return round_trip


async def test_metadata_is_removed_and_the_picture_is_upright(round_trip):
    image = Image.new("RGB", (80, 40), "white")
    image.paste("red", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise
    exif[0x010F] = "CAMERA MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"SECRET PLACE", quality=95)
    assert b"CAMERA MAKER" in out.getvalue()
    made, content, opened = await round_trip(out.getvalue())
    assert (made["width"], made["height"]) == opened.size == (40, 80)
    red, green, _ = opened.convert("RGB").getpixel((36, 4))
    assert red > 200 > 60 > green
    assert not opened.getexif()
    for word in (b"CAMERA MAKER", b"SECRET PLACE", b"Exif"):
        assert word not in content


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
async def test_metadata_is_removed_from_every_format(round_trip, form):
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    options = {"GIF": {"comment": b"SECRET"}, "BMP": {}}.get(form, {"exif": exif})
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "blue").save(out, form, **options)
    made, content, opened = await round_trip(out.getvalue())
    becomes = {"TIFF": "image/jpeg", "BMP": "image/png", "AVIF": "image/webp"}.get(form, f"image/{form.lower()}")
    assert (made["content_type"], opened.size) == (becomes, (30, 20))
    assert b"SECRET" not in content
    assert opened.convert("RGB").getpixel((15, 10))[2] > 200


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16"])
async def test_color_modes(round_trip, mode):
    out = io.BytesIO()
    Image.new(mode, (9, 9)).save(out, "PNG")
    made, _, opened = await round_trip(out.getvalue())
    assert (made["content_type"], opened.mode) == ("image/png", mode)


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
async def test_animations_stay_animated(round_trip, form):
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=[100, 200, 300], loop=0)
    made, _, opened = await round_trip(out.getvalue())
    assert (made["content_type"], opened.n_frames) == (f"image/{form.lower()}", 3)
    opened.seek(2)
    opened.load()
    assert opened.info["duration"] == 300
    assert opened.convert("RGB").getpixel((20, 15))[2] > 200
    assert made["thumbnail_url"]


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that claims a size but has little data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\x00" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animation(count: int, size: tuple[int, int]) -> bytes:
    """Return a GIF whose frames differ in one pixel: it is quick to make and slow to read."""
    out = io.BytesIO()
    frames = [Image.new("1", size) for _ in range(count)]
    for frame in frames[::2]:
        frame.putpixel((0, 0), 1)
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=20)
    return out.getvalue()


async def test_decompression_bombs(send, rows, objects):
    bombs = [
        png_of(60_000, 60_000),
        png_of(2**31 - 1, 2**31 - 1),
        animation(501, (2, 2)),
        animation(60, (1500, 1500)),
        png_of(10_001, 1),
    ]
    for bomb in bombs:
        answer = await send(bomb)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "file"
    assert "pixels" in (await send(bombs[0])).json()["detail"]
    assert "frames" in (await send(bombs[2])).json()["detail"]
    assert "together" in (await send(bombs[3])).json()["detail"]
    assert "wide" in (await send(bombs[4])).json()["detail"]
    assert (await rows("SELECT * FROM attachment"), await objects()) == ([], [])


async def check_is_too_costly(answer):
    problem = answer.json()
    assert (answer.status_code, problem["errors"][0]["field"]) == (422, "file")
    assert problem["errors"][0]["message"] == "it is damaged or too costly"


@with_settings(picture_timeout_s=0.01)
async def test_a_picture_that_takes_too_long_is_rejected(send, picture):
    await check_is_too_costly(await send(picture()))


@with_settings(picture_memory_mb=256)
async def test_a_picture_that_takes_too_much_memory_is_rejected(send, picture):
    assert (await send(picture())).status_code == 201
    await check_is_too_costly(await send(picture("PNG", (6500, 6500), "P")))


async def test_costly_pictures_of_one_person_delay_nobody_else(anna, berta, picture):
    rooms = {anna: await anna.group(), berta: await berta.group()}
    costly = animation(100, (300, 300))  # half a CPU second
    done: list[Person] = []

    async def send(person: Person, data: bytes, name: str) -> int:
        answer = await person.upload(data, name, room_id=rooms[person])
        done.append(person)
        return answer.status_code

    attack = [asyncio.create_task(send(anna, costly, f"{number}.gif")) for number in range(7)]
    await asyncio.sleep(0)
    assert [await send(berta, picture(), f"{number}.jpg") for number in range(3)] == [201, 201, 201]
    assert done.count(anna) < 6, "berta did not wait for them"
    statuses = Counter(await asyncio.gather(*attack))
    assert statuses == {201: 5, 503: 2}, "one at work and four waiting"


@with_settings(picture_cpu_per_minute_s=0.01)
async def test_computing_time_of_one_person_is_limited(anna, berta, picture):
    room = await anna.group(berta)
    await anna.stored(picture(), "a.jpg", room_id=room)
    refused = await anna.upload(picture(), "b.jpg", room_id=room)
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:webchat:problem:rate_limited")
    assert int(refused.headers["retry-after"]) > 60
    await anna.stored(b"a text", "c.txt", room_id=room)
    await berta.stored(picture(), "d.jpg", room_id=room)


async def test_wrong_extensions_and_polyglots(send, anna, picture):
    pdf = (await send(b"%PDF-1.7", "photo.jpg")).json()
    assert pdf["content_type"] == "application/pdf"
    page = (await send(b"<html><script>alert(1)</script>", "photo.png")).json()
    assert page["content_type"] == "text/html"
    served = await anna.content(page["attachment_id"])
    assert served.headers["content-type"] == "application/octet-stream"
    assert served.headers["content-disposition"].startswith("attachment; ")
    assert served.headers["x-content-type-options"] == "nosniff"
    polyglot = (await send(picture("JPEG") + b"<script>alert(1)</script>PK\x03\x04", "x.html")).json()
    served = await anna.content(polyglot["attachment_id"])
    assert served.headers["content-type"] == "image/jpeg"
    assert b"<script>" not in served.content
    for broken in (b"GIF89a/*<script>alert(1)</script>*/", picture("JPEG")[:300], b"\x89PNG\r\n\x1a\n" + b"x" * 99):
        answer = await send(broken)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "file")
    svg = (await send(b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "x.png")).json()
    assert svg["content_type"] == "image/svg+xml"
    served = await anna.content(svg["attachment_id"])
    assert served.headers["content-type"] == "application/octet-stream"
    assert served.headers["content-disposition"].startswith("attachment; ")
    assert (await send(b"\0\0\0\x18ftypheic" + b"\0" * 99, "a.heic")).status_code == 422
