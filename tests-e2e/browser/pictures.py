"""Pictures for the documents, compressed without loss."""

from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"


async def take_picture(page: Page, name: str) -> None:
    """Write a screenshot of the page to docs/screenshots, as lossless WebP: half of the size as PNG."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Image.open(BytesIO(await page.screenshot())) as picture:
        picture.convert("RGB").save(FOLDER / f"{name}.webp", lossless=True, quality=100, method=6)
