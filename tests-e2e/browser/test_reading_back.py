"""Scrolling back faster than history loads: no message is skipped, even when the window drops its newest messages."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from chat import Chat
from conftest import OpenDevice
from people import Person, say_all, sign_up
from playwright.async_api import expect
from stack import Stack
from waiting import eventually

MOTIONS = ("reduce", "no-preference")
MESSAGES = 1_150
"""More than the window of 1,000 messages."""
FIRST_PAGE = 50
STEP = 550
"""Pixels per step, less than the height of the log."""

RECORD_SEEN = """(log) => {
  window.seen = new Set();
  const look = () => {
    const frame = log.getBoundingClientRect();
    for (const one of log.querySelectorAll("article")) {
      const { top, bottom } = one.getBoundingClientRect();
      if (bottom > frame.top && top < frame.bottom) window.seen.add(parseInt(one.querySelector(".prose").innerText));
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def talk(stack: Stack) -> AsyncIterator[tuple[Person, str]]:
    """The author of all messages of a room, each of one to several lines, and the room."""
    person = await sign_up(stack.url, "talker")
    room_id = await person.group("오래된 이야기")
    socket = await person.open()
    bodies = [f"{number}번째 " + "긴 이야기는 길다. " * (number * 7 % 23) for number in range(1, MESSAGES + 1)]
    await say_all(socket, room_id, (body.strip() for body in bodies))
    await socket.close()
    yield person, room_id
    await person.close()


async def open_at_end(device: OpenDevice, talk: tuple[Person, str], motion: str) -> Chat:
    person, room_id = talk
    chat = Chat(await device(await person.log_in_again(), reduced_motion=motion))
    await chat.enter(room_id)
    await expect(chat.message(f"{MESSAGES}번째")).to_be_in_viewport()
    await eventually(lambda: chat.at_rest(frames=15))
    await chat.log.hover()
    return chat


@pytest.mark.parametrize("motion", MOTIONS)
async def test_no_message_is_skipped(device: OpenDevice, talk: tuple[Person, str], motion: str):
    chat = await open_at_end(device, talk, motion)
    await chat.log.evaluate(RECORD_SEEN)
    while not await chat.page.evaluate("window.seen.has(1)"):
        await chat.page.mouse.wheel(0, -STEP)
        await chat.page.evaluate(NEXT_FRAME)
    seen = set(await chat.page.evaluate("[...window.seen]"))
    assert sorted(set(range(1, MESSAGES + 1)) - seen) == []


@pytest.mark.parametrize("motion", MOTIONS)
async def test_history_that_loads_at_the_edge_does_not_move_the_view(
    device: OpenDevice, talk: tuple[Person, str], motion: str
):
    chat = await open_at_end(device, talk, motion)
    await chat.page.mouse.wheel(0, -100_000)
    edge = MESSAGES - FIRST_PAGE + 1
    await expect(chat.message(f"{edge - 1}번째")).to_be_attached()
    await eventually(lambda: chat.at_rest(frames=15))
    await expect(chat.message(f"{edge}번째")).to_be_in_viewport()


async def test_the_log_extends_down_to_the_composer(device: OpenDevice, talk: tuple[Person, str]):
    chat = await open_at_end(device, talk, "reduce")
    log, form = await chat.log.bounding_box(), await chat.page.locator("form.composer").bounding_box()
    assert log is not None
    assert form is not None
    assert abs(log["y"] + log["height"] - form["y"]) <= 1
    newest = await chat.message(f"{MESSAGES}번째").bounding_box()
    assert newest is not None
    assert newest["y"] + newest["height"] < form["y"] - 16, "the typing line is below it"
