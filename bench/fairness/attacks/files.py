"""Attacks with files: costly pictures, many uploads, slow ones, and large downloads."""

import asyncio
import os
from pathlib import Path

import msgspec
from PIL import Image

from bench.client.form import CONTENT_TYPE, UPLOAD, form, head
from bench.fairness.attacks.attack import MOMENT_S, Attack, Request

ANIMATION, LARGE = "animation.gif", "large.png"
FRAMES, FRAME_SIDE, LARGE_SIDE = 450, 360, 7_000
DOWNLOAD_BYTES = 8 << 20
SLOW_UPLOADS = 20
SMALL_BYTES = 1_000


def draw_costly(folder: Path) -> None:
    """Draw the pictures of the attacker: both are small files, and just within the limits."""
    frames = [Image.new("P", (FRAME_SIDE, FRAME_SIDE), number % 2) for number in range(FRAMES)]
    for number, frame in enumerate(frames):
        frame.putpalette([0, 0, 0, 255, 255, 255])
        frame.putpixel((number % FRAME_SIDE, 0), 1 - number % 2)
    frames[0].save(folder / ANIMATION, save_all=True, append_images=frames[1:], duration=20)
    Image.new("L", (LARGE_SIDE, LARGE_SIDE), 128).save(folder / LARGE)


async def animations(attack: Attack) -> None:
    await _upload(attack, attack.picture(ANIMATION), ANIMATION)


async def large_pictures(attack: Attack) -> None:
    await _upload(attack, attack.picture(LARGE), LARGE)


async def small_uploads(attack: Attack) -> None:
    await _upload(attack, os.urandom(SMALL_BYTES), "small.bin")


async def _upload(attack: Attack, data: bytes, filename: str) -> None:
    body = form(attack.order.shared_room, data, filename)
    await attack.by_http(lambda: ("POST", UPLOAD, body), CONTENT_TYPE)


async def slow_uploads(attack: Attack) -> None:
    """Begin uploads and send a byte every 100 ms."""

    async def go(number: int) -> None:
        while attack.goes_on:
            await _send_slowly(attack, number)

    await attack.at_once(SLOW_UPLOADS, go)


async def _send_slowly(attack: Attack, number: int) -> None:
    order = attack.order
    begin = head(order.shared_room, "slow.bin")
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", order.port, local_addr=(order.address, 0))
        writer.write(
            f"POST {UPLOAD} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {order.cookies[number % len(order.cookies)]}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: 1000000\r\n\r\n".encode()
            + begin
        )
        attack.counts["requests"] += 1
        while attack.goes_on and not reader.at_eof() and not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.close()
    except OSError:
        attack.counts["broken connections"] += 1
        await asyncio.sleep(MOMENT_S)


async def downloads(attack: Attack) -> None:
    """Upload one large file and download it on many connections."""
    browser = attack.browser(0)
    body = form(attack.order.shared_room, os.urandom(DOWNLOAD_BYTES))
    status, answer = await browser.call("POST", UPLOAD, body, CONTENT_TYPE)
    browser.close()
    if status != 201:
        attack.counts[f"upload: status {status}"] += 1
        return
    url: str = msgspec.json.decode(answer)["url"]

    def download() -> Request:
        return "GET", url, b""

    await attack.by_http(download)
