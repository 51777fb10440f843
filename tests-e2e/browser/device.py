"""A user's browser: a context with its own cookies that records every error.

Each unexpected error fails the test: errors in the console, gaps in the events of a room, exceptions, violations of the
Content-Security-Policy, and requests to other origins. A test that breaks the network on purpose states what it
`expects`.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from people import Person
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request
from waiting import PATIENCE_S

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
# Chromium logs every answer of 400 and above. This request checks whether the user is signed in.
ALWAYS = (r"status of 401 .*/api/auth/me$",)
NETWORK = (
    r"ERR_INTERNET_DISCONNECTED",
    r"WebSocket connection to .* failed",
    r"ERR_CONNECTION_REFUSED",
    r"status of 50[234]",
)
# The client resumes after a gap by itself, but no test should have one that it did not cause.
GAP = "expected version"
KOREAN, ENGLISH = "ko-KR", "en-US"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 800}


@dataclass(eq=False)
class Device:
    context: BrowserContext
    page: Page
    person: Person | None = None
    troubles: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: list(ALWAYS))
    watched: list[tuple[str, Callable[..., None]]] = field(default_factory=list)

    def watch(self, page: Page, origin: str) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", lambda request: self._request(request, origin))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"} or GAP in message.text:
            self.troubles.append(f"{message.text} {message.location['url']}")

    def _page_error(self, error: Error) -> None:
        self.troubles.append(f"exception: {error.message}\n{error.stack or ''}")

    def _request(self, request: Request, origin: str) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and f"{address.scheme}://{address.netloc}" != origin:
            self.troubles.append(f"a request to another origin: {request.url}")

    def expects(self, *patterns: str) -> None:
        self.expected += patterns

    def unexpected(self) -> list[str]:
        return [trouble for trouble in self.troubles if not any(re.search(known, trouble) for known in self.expected)]

    async def tab(self) -> "Device":
        """Open another tab of the same browser."""
        page = await self.context.new_page()
        return Device(self.context, page, self.person, self.troubles, self.expected)

    async def go_offline(self) -> None:
        self.expects(*NETWORK)
        await self.context.set_offline(True)

    async def go_online(self) -> None:
        await self.context.set_offline(False)


class Browsers:
    """A pool of Chromium contexts for a stack's pages, by their options. Used contexts are wiped.

    A reused context still has the client's files and their compiled code, which are most of the cost of opening a page.
    Nothing else remains: no page, cookie, storage, worker cache, permission or setting.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self._idle: dict[str, list[tuple[BrowserContext, Page]]] = {}
        self._looks: dict[BrowserContext, str] = {}

    async def open(
        self, person: Person | None = None, *, fresh: bool = False, scripts: Iterable[str] = (), **options: Any
    ) -> Device:
        """Open a browser window, signed in as `person` if given. `options` are those of Playwright's contexts.

        `scripts` run in each page before the page's own. A `fresh` context is new and is not reused.
        """
        look = json.dumps([list(scripts), options], sort_keys=True)
        idle = [] if fresh else self._idle.get(look, [])
        context, page = idle.pop() if idle else await self._new(scripts, options)
        if not fresh:
            self._looks[context] = look
        device = Device(context, page, person)
        device.watch(page, self._origin)

        def watch(another: Page) -> None:
            device.watch(another, self._origin)

        context.on("page", watch)
        device.watched.append(("page", watch))
        if person is not None:
            await context.add_cookies(
                [
                    {
                        "name": cookie.name,
                        "value": cookie.value or "",
                        "url": self._url,
                        "httpOnly": True,
                        "sameSite": "Lax",
                    }
                    for cookie in person.http.cookies.jar
                ]
            )
        return device

    async def _new(self, scripts: Iterable[str], options: dict[str, Any]) -> tuple[BrowserContext, Page]:
        usual = {"locale": KOREAN, "timezone_id": "Asia/Seoul", "viewport": DESKTOP, "reduced_motion": "reduce"}
        # A service worker would load the whole client again, so only tests about it enable it.
        chosen = usual | {"service_workers": "block"} | options
        context = await self._browser.new_context(base_url=self._url, **chosen)
        context.set_default_timeout(PATIENCE_S * 1000)
        for script in (REPORT_VIOLATIONS, *scripts):
            await context.add_init_script(script)
        return context, await context.new_page()

    async def give_back(self, device: Device) -> None:
        """Close all pages, and wipe the context for its next use or close it."""
        context = device.context
        for event, listener in device.watched:
            context.remove_listener(event, listener)
        look = self._looks.pop(context, None)
        if look is None:
            await context.close()
            return
        await context.set_offline(False)
        for page in context.pages:
            await page.close()
        await context.clear_cookies()
        await context.clear_permissions()
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        await session.send("Storage.clearDataForOrigin", {"origin": self._origin, "storageTypes": "all"})
        await session.detach()
        self._idle.setdefault(look, []).append((context, page))


async def open_device(browser: Browser, url: str, person: Person | None = None, **options: Any) -> Device:
    """Open a browser window in a new context at `url`, signed in as `person` if given."""
    return await Browsers(browser, url).open(person, fresh=True, **({"service_workers": "allow"} | options))
