"""Debian's Chromium for Playwright: never downloaded, and without its own network requests."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HEADLESS_SHELL = "chromium-headless-shell"
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
    """Return the browser's path, or None. `WEBCHAT_CHROMIUM` overrides the usual names."""
    named = os.environ.get("WEBCHAT_CHROMIUM")
    return next(filter(None, map(shutil.which, (named,) if named else NAMES)), None)


def find_headless() -> str | None:
    """Return the path of Chromium's headless shell, or of Chromium.

    The shell is the same engine without a browser's window, for half the CPU. It has no notifications.
    """
    named = os.environ.get("WEBCHAT_CHROMIUM")
    return (None if named else shutil.which(HEADLESS_SHELL)) or find_chromium()


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    # Chromium's sandbox does not work for root.
    alone = ("--no-sandbox",) if os.geteuid() == 0 else ()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*QUIET, *alone])
        try:
            yield browser
        finally:
            await browser.close()
