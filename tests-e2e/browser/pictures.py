"""Pictures for the documents, small enough to keep in the repository."""

from pathlib import Path

from PIL import Image
from playwright.async_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
COLOURS = 256


async def take_picture(page: Page, name: str) -> None:
    """Write a screenshot of the page to docs/screenshots, with at most 256 colours."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.png"
    await page.screenshot(path=file)
    compress(file)


def compress(file: Path) -> None:
    """Reduce a picture to 256 colours: a third of the size, and nobody sees a difference."""
    with Image.open(file) as picture:
        reduced = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(file, optimize=True)
