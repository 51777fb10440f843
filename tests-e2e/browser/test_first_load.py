"""The first load: its size, offline visits, and updates to a new version."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chat import Chat
from conftest import OpenDevice, SomeOne
from playwright.async_api import Response, expect
from stack import CLIENT, Stack
from waiting import eventually

MOST_BYTES = 150_000
KEPT_BY_THE_WORKER = """async () => {
  const paths = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) paths.push(new URL(request.url).pathname);
  }
  return paths;
}"""


async def test_the_first_load_is_at_most_150_kb_of_script(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("첫 화면", ben)
    for person, path in ((None, "/"), (ana, "/"), (await ana.log_in_again(), f"/rooms/{room_id}")):
        mine = await device(person, fresh=True)
        scripts: list[Response] = []
        mine.page.on("response", lambda answer, scripts=scripts: scripts.append(answer))
        await mine.page.goto(path)
        await expect(mine.page.get_by_role("heading").first).to_be_visible()
        loaded = [answer for answer in scripts if answer.request.resource_type == "script"]
        size = sum(len(gzip.compress((CLIENT / answer.url.split("/", 3)[3]).read_bytes())) for answer in loaded)
        print(f"{path} {'in' if person else 'out'}: {len(loaded)} scripts, {size} bytes")
        assert 10_000 < size <= MOST_BYTES


async def test_the_last_pages_can_be_read_offline(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("기차", ben)
    b = await ben.open()
    await b.send(room_id, "창밖을 봐")
    chat = Chat(await device(ana, service_workers="allow"))
    await chat.enter(room_id)
    await chat.sees("창밖을 봐")
    await chat.can_do_without_network("창밖을 봐")
    await chat.device.go_offline()
    await chat.page.goto("/")
    await expect(chat.room("기차")).to_contain_text("창밖을 봐")
    await chat.room("기차").click()
    await chat.sees("창밖을 봐")


async def test_the_worker_caches_the_shell_but_no_messages(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = Chat(await device(ana, service_workers="allow"))
    await chat.enter(await ana.group("비밀", ben))
    await chat.worker_is_here()
    await chat.page.reload()
    await chat.send("캐시에 남으면 안 되는 말")
    kept = await chat.page.evaluate(KEPT_BY_THE_WORKER)
    assert kept
    assert not [path for path in kept if path.startswith("/api")]


async def test_a_new_version_is_offered_and_applied_on_request(device: OpenDevice, someone: SomeOne, stack: Stack):
    chat = Chat(await device(await someone("ana"), fresh=True, service_workers="allow"))
    page = chat.page
    await page.goto("/")
    await chat.worker_is_here()
    hint = page.get_by_role("button", name="새로 고침")
    await expect(hint).to_have_count(0)
    with a_newer_worker(Path(stack.environment["WEBCHAT_CLIENT"])):
        await page.evaluate("navigator.serviceWorker.getRegistration().then((known) => known.update())")
        await expect(hint).to_be_visible()
        async with page.expect_navigation():
            await hint.click()
        await eventually(
            lambda: page.evaluate("navigator.serviceWorker.getRegistration().then((known) => !known.waiting)")
        )
        await expect(hint).to_have_count(0)


@contextmanager
def a_newer_worker(client: Path) -> Iterator[None]:
    """Change the bytes of the worker's file and its compressed copies, as a new build does."""
    file, packed = client / "sw.js", client / "packed"
    before, away = file.read_bytes(), client / "packed-before"
    packed.rename(away)
    file.write_bytes(before + b"\n// newer\n")
    try:
        yield
    finally:
        file.write_bytes(before)
        away.rename(packed)
