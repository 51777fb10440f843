"""Take pictures of /ops for docs/screenshots (`make demo-ops`), in three minutes.

Users write while the database is locked and a gateway is killed. Pictures are taken before, during and after.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
from chromium import chromium, find_chromium
from device import ENGLISH, Device, open_device
from people import Person, Rejected, Socket, sign_up
from pictures import take_picture
from playwright.async_api import Browser, expect
from stack import Stack, embedded
from websockets.exceptions import ConnectionClosed, InvalidHandshake

OPERATOR = "operator"
PEOPLE = 12
ROOMS = 4
CALM_S, HELD_S, AFTER_S = 75, 14, 25
PAUSE_S = 0.15, 0.9
DESKTOP = {"width": 1440, "height": 1080}
LINES = (
    "좋아요!",
    "See you at five.",
    "사진 보냈어요",
    "I can take that one.",
    "네, 확인했습니다.",
    "Done – please look.",
)
CUT = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, Rejected, AssertionError)


async def talk(person: Person, room_id: str) -> None:
    """Write without end, retrying rejected messages and reconnecting closed sockets."""
    socket: Socket | None = None
    while True:
        try:
            if socket is None or socket.close_code is not None:
                socket = await person.open()
            await socket.send(room_id, random.choice(LINES))
        except CUT:
            await asyncio.sleep(1)
        await asyncio.sleep(random.uniform(*PAUSE_S))


async def operator_of(stack: Stack) -> Person:
    person = Person(httpx.AsyncClient(base_url=stack.url, timeout=30), stack.url)
    account = {"email": "operator@example.com", "webchat_id": OPERATOR, "display_name": "Operator"}
    person.user = await person.call("POST", "/auth/signup", json=account | {"password": person.password}, status=201)
    return person


class Camera:
    """Pages of /ops that stay open all the time, each with its own colour scheme and size."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}

    async def set_up(self, browser: Browser, stack: Stack, operator: Person) -> None:
        looks = {
            "light": {"locale": ENGLISH, "color_scheme": "light", "viewport": DESKTOP},
            "dark": {"locale": ENGLISH, "color_scheme": "dark", "viewport": DESKTOP},
        }
        for name, look in looks.items():
            self.devices[name] = await open_device(browser, stack.url, operator, **look)
            await self.devices[name].page.goto("/ops")
            await expect(self.devices[name].page.get_by_role("heading", level=2).first).to_be_visible()

    async def take(self, look: str, moment: str) -> None:
        name = f"ops-{look}-{moment}"
        await take_picture(self.devices[look].page, name)
        print(f"  {name}.webp")


async def play(stack: Stack, camera: Camera) -> None:
    """Inject the faults, and take a picture of each moment."""
    await asyncio.sleep(CALM_S)
    await camera.take("light", "before")
    print("rooms' database is locked")
    with stack.holding_rooms():
        await asyncio.sleep(HELD_S)
        for look in ("light", "dark"):
            await camera.take(look, "during")
    await asyncio.sleep(AFTER_S)
    print("a gateway is killed")
    await asyncio.to_thread(stack.kill, "chat-gateway-1")
    await asyncio.sleep(AFTER_S)
    await camera.take("light", "after")


async def main(stack: Stack, path: str) -> None:
    operator = await operator_of(stack)
    people = [await sign_up(stack.url, f"person{number}") for number in range(PEOPLE)]
    rooms = [await people[n].group(f"room {n}", *people[n + 1 : n + 1 + PEOPLE // ROOMS]) for n in range(ROOMS)]
    members = [(person, rooms[n]) for n in range(ROOMS) for person in people[n : n + 1 + PEOPLE // ROOMS]]
    talking = [asyncio.create_task(talk(person, room_id)) for person, room_id in members]
    camera = Camera()
    async with chromium(path) as browser:
        await camera.set_up(browser, stack, operator)
        await play(stack, camera)
    for task in talking:
        task.cancel()
    await asyncio.gather(*talking, return_exceptions=True)
    for person in (operator, *people):
        await person.close()


if __name__ == "__main__":
    found = find_chromium()
    if found is None:
        sys.exit("The pictures need Chromium: apt-get install chromium")
    settings = {"CANARY": "on", "CANARY_SECONDS": "2", "CANARY_PATIENCE_S": "5", "OPERATORS": OPERATOR}
    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder) / "data", **settings) as own:
        print(f"WebChat runs on {own.url} with traffic")
        asyncio.run(main(own, found))
