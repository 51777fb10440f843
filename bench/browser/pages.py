"""Chromium for the scenes, and signed-in pages."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bench.client.accounts import Account

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP = {"width": 1440, "height": 900}


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    alone = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *alone])
        yield browser
        await browser.close()


async def signed_in(browser: Browser, url: str, account: Account) -> tuple[BrowserContext, Page]:
    context = await browser.new_context(base_url=url, locale="en-US", viewport={"width": 1440, "height": 900})
    name, _, value = account.cookie.partition("=")
    await context.add_cookies([{"name": name, "value": value, "url": url}])
    return context, await context.new_page()
