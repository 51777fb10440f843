"""Writing: Hangul and Enter, pasted and rejected files, drafts, and keyboard use."""

import asyncio
import base64
import io
import os
import re
from pathlib import Path

from chat import Chat
from conftest import OpenDevice, SomeOne
from PIL import Image
from playwright.async_api import Route, expect

COPY = """async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
}"""
# An Enter that only ends a syllable: during the composition in Chromium and Firefox, after it in Safari.
ENTER_WHILE_COMPOSING = """(field) => ["isComposing", "keyCode"].map((how) => {
  const enter = { key: "Enter", code: "Enter", bubbles: true, cancelable: true };
  return field.dispatchEvent(new KeyboardEvent("keydown", {
    ...enter, isComposing: how === "isComposing", keyCode: how === "keyCode" ? 229 : 13,
  }));
})"""


def picture(width: int, height: int) -> str:
    output = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(output, "PNG")
    return base64.b64encode(output.getvalue()).decode()


async def test_enter_ends_a_syllable_and_the_next_one_sends(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = await Chat(await device(ana)).enter(await ana.group("한글", ben))
    await chat.composer.focus()
    keyboard = await chat.device.context.new_cdp_session(chat.page)
    await keyboard.send("Input.insertText", {"text": "안녕하세"})
    for syllable in ("ㅇ", "요"):
        await keyboard.send("Input.imeSetComposition", {"text": syllable, "selectionStart": 1, "selectionEnd": 1})
    await expect(chat.composer).to_have_value("안녕하세요")
    await chat.composer.evaluate(ENTER_WHILE_COMPOSING)
    await expect(chat.composer).to_have_value("안녕하세요")
    await expect(chat.articles).to_have_count(0)
    await keyboard.send("Input.insertText", {"text": "요"})
    await expect(chat.composer).to_have_value("안녕하세요")
    await chat.composer.press("Shift+Enter")
    await chat.composer.press_sequentially("반가워요")
    await chat.composer.press("Enter")
    await expect(chat.articles).to_have_count(1)
    await chat.settled()
    assert (await ana.messages(chat.room_id()))["items"][-1]["body"] == "안녕하세요\n반가워요"


async def test_a_pasted_picture_is_sent_and_shown(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("사진", ben)
    hers, his = Chat(await device(ana)), Chat(await device(ben))
    await hers.device.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await hers.enter(room_id)
    await his.enter(room_id)
    await hers.page.evaluate(COPY, picture(640, 400))
    await hers.composer.focus()
    await hers.page.keyboard.press("Control+v")
    await expect(hers.page.get_by_role("button", name=re.compile("빼기$"))).to_be_visible()
    await hers.composer.press_sequentially("여기 어때?")
    await expect(hers.page.get_by_role("progressbar")).to_have_count(0)
    await hers.page.get_by_role("button", name="보내기", exact=True).click()
    for chat in (hers, his):
        shown = chat.message("여기 어때?").locator("img").last
        await expect(shown).to_be_visible()
        await expect(shown).to_have_js_property("complete", True)
    await his.message("여기 어때?").get_by_role("button", name=re.compile("사진 크게 보기")).click()
    viewer = his.page.get_by_role("dialog", name="사진 보기")
    await expect(viewer.locator("img").first).to_be_visible()
    await his.page.keyboard.press("Escape")
    await expect(viewer).to_have_count(0)


async def test_a_file_of_a_wrong_size_is_rejected_before_the_upload(
    device: OpenDevice, someone: SomeOne, tmp_path: Path
):
    ana, ben = await someone("ana"), await someone("ben")
    chat = await Chat(await device(ana)).enter(await ana.group("파일", ben))
    requests: list[str] = []
    chat.page.on("request", lambda request: requests.append(request.url))
    for size, answer in ((0, "빈 파일은 보낼 수 없어요"), (50 * 1024 * 1024 + 1, "까지 보낼 수 있어요")):
        async with chat.page.expect_file_chooser() as choosing:
            await chat.page.get_by_role("button", name="파일 붙이기").click()
        chooser = await choosing.value
        file = tmp_path / f"{size}.txt"
        file.touch()
        os.truncate(file, size)
        await chooser.set_files(file)
        await expect(chat.page.get_by_text(answer)).to_be_visible()
    assert not [url for url in requests if "/api/media" in url]


async def test_a_draft_stays_with_its_room_and_survives_a_reload(device: OpenDevice, someone: SomeOne):
    ana, ben, cem = await someone("ana"), await someone("ben"), await someone("cem")
    first, second = await ana.group("하나", ben), await ana.group("둘", cem)
    chat = await Chat(await device(ana)).enter(first)
    await chat.composer.press_sequentially("쓰다 만 글")
    await chat.room("둘").click()
    await expect(chat.composer).to_have_value("")
    await expect(chat.room("하나")).to_contain_text("쓰다 만 글")
    await chat.page.reload()
    await expect(chat.room("하나")).to_contain_text("쓰다 만 글")
    await chat.room("하나").click()
    await expect(chat.composer).to_have_value("쓰다 만 글")
    assert second in [room["room_id"] for room in (await ana.call("GET", "/rooms"))["items"]]


async def test_emoji_are_found_and_inserted_at_the_cursor(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    chat = await Chat(await device(ana)).enter(await ana.group("그림 글자", ben))
    await chat.composer.fill("주말에 갈까")
    await chat.page.get_by_role("button", name="이모지", exact=True).click()
    await chat.page.get_by_label("이모지 찾기").fill("캠핑")
    await chat.page.get_by_role("gridcell", name="캠핑").click()
    await expect(chat.composer).to_be_focused()
    await expect(chat.composer).to_have_value("주말에 갈까🏕️")
    await chat.composer.press("Enter")
    await chat.sees("주말에 갈까🏕️")


async def test_everything_by_keyboard(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    await ana.group("첫째 방", ben)
    room_id = await ana.group("둘째 방", ben)
    b = await ben.open()
    await b.send(room_id, "키보드로 답해 줘")
    chat = Chat(await device())
    page, press = chat.page, chat.page.keyboard.press
    await page.goto("/")
    await expect(page.get_by_label("이메일 또는 WebChat ID")).to_be_focused()
    await page.keyboard.type(ana.user["webchat_id"])
    await press("Tab")
    await page.keyboard.type(ana.password)
    await press("Enter")
    await expect(chat.rooms).to_be_visible()

    await press("Control+k")
    switcher = page.get_by_role("combobox", name="대화와 사람 바로 가기")
    await expect(switcher).to_be_focused()
    await page.keyboard.type("ㄷㅉ")
    await expect(page.get_by_role("option", name=re.compile("둘째 방"))).to_be_visible()
    await press("Enter")
    await expect(chat.composer).to_be_focused()
    await page.keyboard.type("키보드로 씁니다")
    await press("Enter")
    await chat.says("키보드로 답해 줘", "키보드로 씁니다")

    await press("Shift+Tab")
    await press("Shift+Tab")
    await expect(chat.said("키보드로 씁니다")).to_be_focused()
    await press("ArrowUp")
    await expect(chat.said("키보드로 답해 줘")).to_be_focused()
    await press("Enter")
    await expect(page.get_by_role("button", name="공감")).to_be_focused()
    await press("ArrowRight")
    await expect(page.get_by_role("button", name="답장")).to_be_focused()
    await press("Enter")
    await expect(chat.composer).to_be_focused()
    await page.keyboard.type("네!")
    await press("Enter")
    await expect(chat.message("네!")).to_contain_text("키보드로 답해 줘")

    await press("Control+k")
    await press("Escape")
    await expect(chat.composer).to_be_focused()


async def test_keys_typed_before_the_switcher_is_loaded_go_to_it(device: OpenDevice, someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id, other_id = await ana.group("첫째 방", ben), await ana.group("second room", ben)
    chat = Chat(await device(ana))
    page, may_load = chat.page, asyncio.Event()

    async def hold(route: Route) -> None:
        await may_load.wait()
        await route.continue_()

    await page.route("**/assets/Dialogs-*.js", hold)
    await chat.enter(room_id)
    await expect(chat.composer).to_be_focused()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("no")
    await page.keyboard.press("Escape")
    await expect(chat.composer).to_be_focused()
    await expect(chat.composer).to_have_value("")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("sec")
    may_load.set()
    switcher = page.get_by_role("combobox", name="대화와 사람 바로 가기")
    await expect(switcher).to_be_focused()
    await expect(switcher).to_have_value("sec")
    await page.keyboard.type("ond")
    await expect(switcher).to_have_value("second")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(other_id))
    await expect(chat.composer).to_have_value("")
