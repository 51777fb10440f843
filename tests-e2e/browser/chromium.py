"""Debian's Chromium for Playwright: found by name, never downloaded, and kept from talking to anyone by itself."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-sync",
    "--font-render-hinting=none",
    "--no-first-run",
)


def find_chromium() -> str | None:
    """The browser's path; `WEBCHAT_CHROMIUM` names another than the usual ones."""
    named = os.environ.get("WEBCHAT_CHROMIUM")
    return next(filter(None, map(shutil.which, (named,) if named else NAMES)), None)


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    # Chromium's own sandbox needs a user other than root.
    alone = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *alone])
        try:
            yield browser
        finally:
            await browser.close()
