"""`python -m bench.browser`: measure the client and write `browser.md` and `browser.json` next to the report.

The exit status is 0 even if aims are not met. Without Chromium or a built client it prints one line and exits with 0.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from bench.browser import scenes
from bench.browser.pages import chromium, find_chromium
from bench.browser.table import markdown
from bench.client.accounts import open_group, sign_up
from bench.cores import LOADING, pin
from bench.server import stack
from bench.server.fill import fill_webchat

REPORT = Path(__file__).parents[1] / "report"
CLIENT = Path(__file__).parents[2] / "web" / "dist"
LONG_ROOM, TIMES = 100_000, 30


async def _measure(folder: Path, path: str, messages: int, times: int) -> scenes.Figures:
    with stack.webchat(folder) as server:
        accounts = await sign_up(server.port, 3)
        room_id = await open_group(accounts[0], accounts[1:2], "a talk")
        long_id = await open_group(accounts[0], accounts[1:], "a long history")
        await asyncio.to_thread(fill_webchat, server, long_id, [one.user_id for one in accounts], messages)
        url = f"http://127.0.0.1:{server.port}"
        async with chromium(path) as browser:
            return {
                "messages": messages,
                "script_bytes": await scenes.script_bytes(browser, url, accounts[0]),
                "first_screen": await scenes.first_screens(browser, url, accounts[0], max(3, times // 5)),
                "enter": await scenes.enter(browser, url, accounts[:2], room_id, times),
                "scroll": await scenes.scroll(browser, url, accounts[0], long_id),
            }


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.browser", description=__doc__)
    options.add_argument("--quick", action="store_true", help="take a few seconds; the figures mean nothing")
    options.add_argument("--report", type=Path, default=REPORT, help="folder for the report")
    chosen = options.parse_args()
    path = find_chromium()
    if path is None or not (CLIENT / "index.html").exists():
        print("the client is not measured: that needs Chromium (apt-get install chromium) and `make web`")
        return
    began = time.monotonic()
    pin(LOADING)
    messages, times = (2_000, 5) if chosen.quick else (LONG_ROOM, TIMES)
    with tempfile.TemporaryDirectory(prefix="webchat-bench-", ignore_cleanup_errors=True) as folder:
        found = asyncio.run(_measure(Path(folder) / "webchat", path, messages, times))
    chosen.report.mkdir(parents=True, exist_ok=True)
    (chosen.report / "browser.json").write_text(json.dumps(found, indent=1) + "\n")
    (chosen.report / "browser.md").write_text(markdown(found))
    print(f"{time.monotonic() - began:.0f} s for the client")


if __name__ == "__main__":
    main()
