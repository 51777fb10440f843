"""Files on their way into a message: seen going, stopped, tried again, dropped in, refused in time; played in place."""

import base64
import io
import re
import wave
from pathlib import Path

from chat import Chat
from conftest import OpenDevice, SomeOne
from playwright.async_api import FilePayload, Locator, expect

SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
FAST = SLOW | {"uploadThroughput": -1}
FILES = """([name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  return carried;
}"""
FILM = """async () => {
  const canvas = document.createElement("canvas");
  const [pen, pieces] = [canvas.getContext("2d"), []];
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm;codecs=vp8" });
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  for (let frame = 0; frame < 20; frame += 1) {
    pen.fillStyle = `hsl(${frame * 9} 80% 50%)`;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def sound(seconds: int) -> bytes:
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(range(256)) * (8000 * 2 * seconds // 256))
    return output.getvalue()


def payload(name: str, type_: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": type_, "buffer": content}


class Attacher(Chat):
    async def attach(self, *files: FilePayload) -> None:
        async with self.page.expect_file_chooser() as choosing:
            await self.page.get_by_role("button", name="파일 붙이기").click()
        await (await choosing.value).set_files(files)

    def waiting(self, name: str) -> Locator:
        """The file beside the text that is not sent yet."""
        return self.page.get_by_role("listitem").filter(has_text=name)

    async def uploaded(self, name: str) -> None:
        """Until the file may be sent."""
        await expect(self.waiting(name)).to_be_visible()
        await expect(self.page.get_by_role("progressbar")).to_have_count(0)

    async def uploads_at(self, network: dict[str, object]) -> None:
        session = await self.device.context.new_cdp_session(self.page)
        await session.send("Network.enable")
        await session.send("Network.emulateNetworkConditions", network)


async def test_an_upload_shows_how_far_it_is_and_can_be_stopped(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = Attacher(await device(ana))
    await chat.enter(await ana.group("큰 파일", ben))
    await chat.uploads_at(SLOW)
    await chat.attach(payload("긴 영상.bin", "application/octet-stream", bytes(4_000_000)))
    bar = chat.page.get_by_role("progressbar", name="긴 영상.bin 올리는 중")
    await expect(bar).to_be_visible()
    await chat.page.wait_for_function("(bar) => bar.value > 0 && bar.value < 1", arg=await bar.element_handle())
    await chat.composer.fill("파일은 천천히")
    await chat.composer.press("Enter")
    await expect(chat.page.get_by_text("파일을 다 올리면 보낼 수 있어요")).to_be_visible()
    await expect(chat.composer).to_have_value("파일은 천천히")
    async with chat.page.expect_event("requestfailed"):
        await chat.page.get_by_role("button", name="긴 영상.bin 빼기").click()
    await expect(bar).to_have_count(0)
    await chat.send("파일은 나중에")
    await chat.settled()
    message = (await ana.messages(chat.room_id()))["items"][-1]
    assert (message["body"], message.get("attachments")) == ("파일은 나중에", None)


async def test_an_upload_that_failed_is_tried_again(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("지하", ben)
    chat = Attacher(await device(ana))
    await chat.enter(room_id)
    await chat.device.go_offline()
    await chat.attach(payload("쪽지.txt", "text/plain", "지하에서 씀".encode()))
    await expect(chat.waiting("쪽지.txt")).to_contain_text("연결되지 않았어요")
    await chat.device.go_online()
    await chat.page.get_by_role("button", name="쪽지.txt 다시 올리기").click()
    await expect(chat.waiting("쪽지.txt")).not_to_contain_text("연결되지 않았어요")
    await chat.uploaded("쪽지.txt")
    await chat.page.get_by_role("button", name="보내기", exact=True).click()
    his = Chat(await device(ben))
    await his.enter(room_id)
    card = his.log.get_by_role("link", name="받기: 쪽지.txt")
    async with his.page.expect_download() as downloading:
        await card.click()
    file = await (await downloading.value).path()
    assert Path(file).read_text() == "지하에서 씀"


async def test_a_file_is_dropped_into_the_room(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = Attacher(await device(ana))
    await chat.enter(await ana.group("끌어 놓기", ben))
    text = base64.b64encode("끌려 온 글".encode()).decode()
    carried = await chat.page.evaluate_handle(FILES, ["메모.txt", "text/plain", text])
    hint = chat.page.get_by_text("여기에 놓으면 파일을 붙여요")
    field = chat.composer
    await field.dispatch_event("dragover", {"dataTransfer": carried})
    await expect(hint).to_be_visible()
    await field.dispatch_event("dragleave", {"dataTransfer": carried})
    await expect(hint).to_have_count(0)
    await field.dispatch_event("dragover", {"dataTransfer": carried})
    await field.dispatch_event("drop", {"dataTransfer": carried})
    await expect(hint).to_have_count(0)
    await chat.uploaded("메모.txt")
    await chat.page.get_by_role("button", name="보내기", exact=True).click()
    await expect(chat.log.get_by_role("link", name="받기: 메모.txt")).to_be_visible()


async def test_a_picture_that_nobody_could_open_is_refused_before_the_upload(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = Attacher(await device(ana))
    await chat.enter(await ana.group("휴대전화 사진", ben))
    uploads: list[str] = []
    chat.page.on("request", lambda request: uploads.append(request.url))
    names = {"IMG_0001.HEIC": "", "사진.heif": "image/heif"}
    for name, type_ in names.items():
        await chat.attach(payload(name, type_, b"\0\0\0\x18ftypheic"))
        await expect(chat.waiting(name)).to_contain_text("JPEG로 바꿔서 다시 붙여 주세요")
    await chat.attach(payload("설명.txt", "text/plain", b"instead"))
    await chat.uploaded("설명.txt")
    for name in names:
        await expect(chat.waiting(name)).to_have_count(0)
    await chat.page.get_by_role("button", name="보내기", exact=True).click()
    await expect(chat.log.get_by_role("link", name="받기: 설명.txt")).to_be_visible()
    assert len([url for url in uploads if url.endswith("/api/media/attachments")]) == 1


async def test_a_broken_picture_says_so_and_cannot_be_tried_again(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = Attacher(await device(ana))
    chat.device.expects(r"status of 422 .*/api/media/attachments")
    await chat.enter(await ana.group("깨진 사진", ben))
    await chat.attach(payload("깨진.png", "image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"))
    await expect(chat.waiting("깨진.png")).to_contain_text("보낼 수 없는 종류의 파일이거나 깨진 파일이에요")
    await expect(chat.page.get_by_role("button", name="깨진.png 다시 올리기")).to_have_count(0)


async def test_sound_and_film_play_in_place(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("보고 듣기", ben)
    hers, his = Attacher(await device(ana)), Chat(await device(ben))
    await hers.enter(room_id)
    await his.enter(room_id)
    film = base64.b64decode(await hers.page.evaluate(FILM))
    await hers.attach(payload("바다.webm", "video/webm", film), payload("파도.wav", "audio/wav", sound(seconds=3)))
    await hers.uploaded("파도.wav")
    await hers.page.get_by_role("button", name="보내기", exact=True).click()
    for name in ("바다.webm", "파도.wav"):
        player = his.log.get_by_label(name)
        await expect(player).to_be_visible()
        await player.focus()
        await his.page.keyboard.press("Space")
        await his.page.wait_for_function("(player) => player.currentTime > 0.3", arg=await player.element_handle())
        await expect(player).to_have_js_property("error", None)
    await expect(his.page).to_have_url(re.compile(f"/rooms/{room_id}$"))


async def test_files_and_what_is_answered_stay_with_their_room(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    here, there = await ana.group("사진 방", ben), await ana.group("다른 방", ben)
    await (await ben.open()).send(here, "사진 있어?")
    chat = Attacher(await device(ana))
    await chat.enter(here)
    await chat.choose("사진 있어?", "답장")
    await chat.attach(payload("둘이서.txt", "text/plain", b"us"))
    await chat.uploaded("둘이서.txt")
    answered = chat.page.locator("form").get_by_text("사진 있어?")
    await expect(answered).to_be_visible()
    await chat.room("다른 방").click()
    await expect(chat.page).to_have_url(re.compile(there))
    await expect(chat.composer).to_be_visible()
    await expect(chat.waiting("둘이서.txt")).to_have_count(0)
    await expect(answered).to_have_count(0)
    await chat.send("여기는 글만")
    assert "둘이서.txt" not in str(await ana.messages(there))
    await chat.room("사진 방").click()
    await expect(answered).to_be_visible()
