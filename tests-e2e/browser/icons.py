"""Render the client's icons from their SVG (`make icons`)."""

import asyncio
import sys
from pathlib import Path

from chromium import chromium, find_chromium

WEB = Path(__file__).parents[2] / "web"
ICON, FULL = WEB / "public" / "icons" / "icon.svg", WEB / "art" / "maskable.svg"
SIZES = {"icon-192": (ICON, 192), "icon-512": (ICON, 512), "maskable-512": (FULL, 512), "apple-touch-icon": (FULL, 180)}


async def main() -> None:
    path = find_chromium()
    if path is None:
        sys.exit("no Chromium here: apt-get install chromium")
    async with chromium(path) as browser:
        for name, (source, size) in SIZES.items():
            page = await browser.new_page(viewport={"width": size, "height": size})
            style = f"<style>body{{margin:0}}svg{{display:block;width:{size}px}}</style>"
            await page.set_content(style + source.read_text())
            await page.screenshot(path=ICON.parent / f"{name}.png", omit_background=True)
            await page.close()


if __name__ == "__main__":
    asyncio.run(main())
