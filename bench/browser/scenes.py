"""The measurements. They use the page's clock: marks are set in the page, not by the program that drives it."""

import statistics
from collections.abc import Sequence
from typing import Any

from playwright.async_api import Browser, Page, Response

from bench.browser.pages import signed_in
from bench.client.accounts import Account

Figures = dict[str, Any]

# The time from the start of the navigation until the list of rooms is drawn.
MARK_FIRST_SCREEN = """
new MutationObserver((_, observer) => {
  if (document.querySelector("nav a[href^='/rooms/']") === null) return;
  observer.disconnect();
  requestAnimationFrame(() => { window.firstScreenAt = performance.now(); });
}).observe(document, { childList: true, subtree: true });
"""
# The times at which each text first appears in the log and Enter is pressed, on the clock that all pages share.
MARK_MESSAGES = """
window.shownAt = {};
window.enteredAt = [];
const clock = () => performance.timeOrigin + performance.now();
addEventListener("keydown", (event) => { if (event.key === "Enter") window.enteredAt.push(clock()); }, true);
new MutationObserver(() => {
  for (const one of document.querySelectorAll("article")) {
    const text = /measure-\\d+/.exec(one.innerText)?.[0];
    if (text && !(text in window.shownAt)) window.shownAt[text] = clock();
  }
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
# Scrolls through the log for some seconds. Returns the times between frames and the maximum number of nodes.
SCROLL = """async ([step, seconds]) => {
  const log = document.querySelector("[role=log]");
  const gaps = [];
  let nodes = 0;
  let travelled = 0;
  let last = performance.now();
  const end = last + seconds * 1000;
  while (last < end) {
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
    const before = log.scrollTop;
    log.scrollTop -= step;
    travelled += before - log.scrollTop;
    nodes = Math.max(nodes, document.getElementsByTagName("*").length);
  }
  return { gaps: gaps.slice(2), nodes, travelled };
}"""


def _summary(values: Sequence[float]) -> Figures:
    ordered = sorted(values)
    late = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {"p50": round(statistics.median(ordered), 1), "p99": round(late, 1), "worst": round(ordered[-1], 1)}


async def script_bytes(browser: Browser, url: str, account: Account) -> int:
    """Return the transferred bytes of all scripts of a first visit."""
    context, page = await signed_in(browser, url, account)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright sets attributes on the handler
    await page.goto("/")
    await page.locator("nav a[href^='/rooms/']").first.wait_for()
    sizes = [await one.request.sizes() for one in answers if one.request.resource_type == "script"]
    await context.close()
    return sum(size["responseBodySize"] for size in sizes)


async def first_screens(browser: Browser, url: str, account: Account, times: int) -> Figures:
    """Measure the first screen: cold in a new browser, warm in one with the cached shell and state."""
    cold, warm = [], []
    for _ in range(times):
        context, page = await signed_in(browser, url, account)
        await context.add_init_script(MARK_FIRST_SCREEN)
        await page.goto("/")
        cold.append(await _first_screen(page))
        await _until(page, "navigator.serviceWorker.controller")
        await page.reload()
        warm.append(await _first_screen(page))
        await context.close()
    return {"cold_ms": _summary(cold), "warm_ms": _summary(warm)}


async def _first_screen(page: Page) -> float:
    return float(await _until(page, "window.firstScreenAt"))


async def _until(page: Page, expression: str) -> Any:
    """Evaluate the expression in every frame until it has a value. Without `eval`, which the policy forbids."""
    look = f"const value = {expression}; if (value) done(value === Object(value) || value); else again(look);"
    return await page.evaluate(
        f"new Promise((done) => {{ const again = requestAnimationFrame; const look = () => {{ {look} }}; look(); }})"
    )


async def enter(browser: Browser, url: str, accounts: Sequence[Account], room_id: str, times: int) -> Figures:
    """Measure the time from Enter to the message on the sender's screen, and on the other user's."""
    opened = [await signed_in(browser, url, account) for account in accounts]
    (_, mine), (_, theirs) = opened
    for context, page in opened:
        await context.add_init_script(MARK_MESSAGES)
        await page.goto(f"/rooms/{room_id}")
        await page.get_by_role("textbox", name="Message").wait_for()
    field = mine.get_by_role("textbox", name="Message")
    for number in range(times):
        await field.fill(f"measure-{number}")
        await field.press("Enter")
        await _until(theirs, f"window.shownAt['measure-{number}']")
    pressed = await mine.evaluate("window.enteredAt")
    shown = [await page.evaluate("window.shownAt") for page in (mine, theirs)]
    for context, _ in opened:
        await context.close()
    waits = [[times_[f"measure-{n}"] - pressed[n] for n in range(times)] for times_ in shown]
    return {"own_ms": _summary(waits[0]), "other_ms": _summary(waits[1])}


async def scroll(browser: Browser, url: str, account: Account, room_id: str, seconds: float = 10) -> Figures:
    """Scroll back through a long room as fast as a hand turns a wheel."""
    context, page = await signed_in(browser, url, account)
    await page.goto(f"/rooms/{room_id}")
    await page.locator("[role=log] article").first.wait_for()
    await page.get_by_role("button", name="To the latest").click()
    await _until(page, "(({ scrollTop, clientHeight, scrollHeight }) => scrollHeight - clientHeight - scrollTop < 48)"
                       "(document.querySelector('[role=log]'))")  # fmt: skip
    found = await page.evaluate(SCROLL, [60, seconds])
    await context.close()
    if found["travelled"] < 1000:
        raise RuntimeError("the log did not scroll")
    gaps = found["gaps"]
    return {
        "frame_ms": _summary(gaps),
        "frames": len(gaps),
        "over_50_ms": sum(gap > 50 for gap in gaps),
        "pixels": round(found["travelled"]),
        "most_nodes": found["nodes"],
    }
