"""A person's browser: a context with cookies of its own, in which every error is remembered.

Whatever the page complains of fails the test: errors in the console, exceptions, violations of the pages' policy, and
any request to another place. A test that breaks the network on purpose says what it `expects`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from people import Person
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
# Chromium itself writes a line for every answer of 400 and above: this one asks whether somebody is signed in.
ALWAYS = (r"status of 401 .*/api/auth/me$",)
NETWORK = (
    r"ERR_INTERNET_DISCONNECTED",
    r"WebSocket connection to .* failed",
    r"ERR_CONNECTION_REFUSED",
    r"status of 50[234]",
)
KOREAN, ENGLISH = "ko-KR", "en-US"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 800}


@dataclass(eq=False)
class Device:
    context: BrowserContext
    page: Page
    person: Person | None = None
    troubles: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: list(ALWAYS))

    def watch(self, page: Page, origin: str) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", lambda request: self._request(request, origin))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"}:
            self.troubles.append(f"{message.text} {message.location['url']}")

    def _page_error(self, error: Error) -> None:
        self.troubles.append(f"exception: {error.message}\n{error.stack or ''}")

    def _request(self, request: Request, origin: str) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and f"{address.scheme}://{address.netloc}" != origin:
            self.troubles.append(f"a request to elsewhere: {request.url}")

    def expects(self, *patterns: str) -> None:
        self.expected += patterns

    def unexpected(self) -> list[str]:
        return [trouble for trouble in self.troubles if not any(re.search(known, trouble) for known in self.expected)]

    async def tab(self) -> "Device":
        """Another tab of the same browser."""
        page = await self.context.new_page()
        return Device(self.context, page, self.person, self.troubles, self.expected)

    async def go_offline(self) -> None:
        self.expects(*NETWORK)
        await self.context.set_offline(True)

    async def go_online(self) -> None:
        await self.context.set_offline(False)


async def open_device(browser: Browser, url: str, person: Person | None = None, **options: object) -> Device:
    """A browser window at `url`, signed in as `person` if there is one."""
    chosen = {"locale": KOREAN, "timezone_id": "Asia/Seoul", "viewport": DESKTOP, "reduced_motion": "reduce"} | options
    context = await browser.new_context(base_url=url, **chosen)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    await context.add_init_script(REPORT_VIOLATIONS)
    device = Device(context, await context.new_page(), person)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    device.watch(device.page, origin)
    context.on("page", lambda page: device.watch(page, origin))
    if person is not None:
        await context.add_cookies(_cookies(person, url))
    return device


def _cookies(person: Person, url: str) -> Iterable[dict[str, object]]:
    return [
        {"name": cookie.name, "value": cookie.value or "", "url": url, "httpOnly": True, "sameSite": "Lax"}
        for cookie in person.http.cookies.jar
    ]
