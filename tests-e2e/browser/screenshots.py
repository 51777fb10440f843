"""Pictures of the real product with seeded people into docs/screenshots (`make screenshots`)."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from chromium import chromium, find_chromium
from device import DESKTOP, ENGLISH, KOREAN, PHONE, open_device
from furnish import BROWSERS, furnished, log_in
from pictures import take_picture
from playwright.async_api import Browser, Page, expect
from stack import Stack, embedded

Rooms = dict[str, str]
Scene = Callable[[Page, Rooms], Awaitable[None]]


async def trip(page: Page, rooms: Rooms) -> None:
    await page.goto(f"/rooms/{rooms['trip']}")
    await expect(page.get_by_role("log").get_by_text("여기까지 읽었어요")).to_be_in_viewport()


async def trip_details(page: Page, rooms: Rooms) -> None:
    await page.goto(f"/rooms/{rooms['trip']}/details")
    await expect(page.get_by_text("렌터카는 제가 예약할게요!").last).to_be_visible()


async def work(page: Page, rooms: Rooms) -> None:
    await page.goto(f"/rooms/{rooms['work']}")
    newest = page.get_by_role("log").get_by_text("The dashboard looks calm.")
    await expect(newest).to_be_visible()


def at(path: str) -> Scene:
    async def show(page: Page, rooms: Rooms) -> None:
        await page.goto(path)
        await expect(page.get_by_role("heading").first).to_be_visible()

    return show


SCENES: list[tuple[str, Scene, dict[str, Any]]] = [
    ("desktop-ko-light", trip_details, {"locale": KOREAN, "color_scheme": "light"}),
    ("phone-ko-light-list", at("/"), {"locale": KOREAN, "color_scheme": "light", "viewport": PHONE}),
    ("phone-ko-light-room", trip, {"locale": KOREAN, "color_scheme": "light", "viewport": PHONE}),
    ("phone-ko-dark-room", trip, {"locale": KOREAN, "color_scheme": "dark", "viewport": PHONE}),
    ("phone-en-light-room", work, {"locale": ENGLISH, "color_scheme": "light", "viewport": PHONE}),
]


async def take(browser: Browser, stack: Stack, rooms: Rooms, name: str, scene: Scene, look: dict[str, Any]) -> None:
    on_a_phone = look.get("viewport") == PHONE
    minji = await log_in(stack.url, "minji", BROWSERS[1 if on_a_phone else 0])
    kind = {"device_scale_factor": 2, "has_touch": True, "is_mobile": True} if on_a_phone else {}
    device = await open_device(browser, stack.url, minji, **({"viewport": DESKTOP} | kind | look))
    await device.context.grant_permissions(["notifications"])
    # A picture must not change what the next one shows: nobody looks, so nothing counts as read.
    await device.context.add_init_script("Document.prototype.hasFocus = () => false")
    await scene(device.page, rooms)
    await device.page.wait_for_load_state("networkidle")
    await device.page.evaluate("document.fonts.ready")
    await take_picture(device.page, name)
    await device.context.close()
    await minji.call("POST", "/auth/logout", status=204)
    await minji.close()
    print(name, *device.unexpected())


async def main(wanted: list[str]) -> None:
    path = find_chromium()
    if path is None:
        sys.exit("no Chromium here: apt-get install chromium")
    expect.set_options(timeout=20_000)
    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder) / "data") as stack:
        subprocess.run([sys.executable, "-P", "-m", "embedded", "seed"], env=stack.environment, check=True)
        async with furnished(stack.url) as rooms, chromium(path) as browser:
            other = await log_in(stack.url, "minji", BROWSERS[2])
            for name, scene, look in SCENES:
                if not wanted or any(word in name for word in wanted):
                    await take(browser, stack, rooms, name, scene, look)
            await other.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
