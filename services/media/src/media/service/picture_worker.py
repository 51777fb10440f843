"""The process that decodes one picture and writes it anew: oriented, without metadata, with a thumbnail.

`python -m media.service.picture_worker ORDER`, the order as JSON; answers with a Made as JSON. Its limits are its own.
"""

import io
import resource
import sys
from collections.abc import Iterator
from typing import IO, Any

import msgspec
from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
ANIMATED = ("GIF", "WEBP")
THUMBNAIL = (400, 400)
BECOMES = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "GIF": "GIF", "WEBP": "WEBP", "BMP": "PNG", "AVIF": "WEBP"}
OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 3},  # 6, the default, takes four times as long for a tenth of the size
    "WEBP": {"quality": 88, "method": 2},
    "GIF": {},
}


class Limits(msgspec.Struct):
    pixels: int
    frames: int
    frame_pixels: int
    memory: int
    seconds: int
    """Of a processor: where whoever started the worker is no more, it ends all the same."""


class Order(msgspec.Struct):
    """File descriptors that the worker was started with, and what it may use."""

    source: int
    file: int
    thumbnail: int
    limits: Limits


class Made(msgspec.Struct, omit_defaults=True):
    content_type: str = ""
    width: int = 0
    height: int = 0
    refused: str = ""


class TooMuchError(Exception):
    """More pixels or frames than allowed."""


def work(order: Order) -> Made:
    with open(order.source, "rb", closefd=False) as source:
        source.seek(0)
        try:
            return _make(source, order)
        except TooMuchError as error:
            return Made(refused=str(error))
        except UnidentifiedImageError:
            return Made(refused="it is no picture that we can read")
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError, ImageCms.PyCMSError):
            return Made(refused="it is damaged or too costly")


def _make(source: IO[bytes], order: Order) -> Made:
    Image.MAX_IMAGE_PIXELS = None  # ours instead, before anything is decoded
    image = Image.open(source, formats=FORMATS)
    _check_pixels(image, order.limits)
    form = _form_of(image)
    if image.format in ANIMATED and getattr(image, "is_animated", False):
        durations = _durations(image, order.limits)
        _save_animation(image, form, durations, order.file)
        image.seek(0)
        first = image.convert("RGBA")
    else:
        first = _still(image)
        _write(order.file, lambda out: _plain(first, form).save(out, form, **OPTIONS[form]))
    small = first.convert("RGBA" if _has_alpha(first) else "RGB")
    small.thumbnail(THUMBNAIL)
    small.info = {}
    _write(order.thumbnail, lambda out: small.save(out, "WEBP", quality=78, method=2))
    return Made(f"image/{form.lower()}", first.width, first.height)


def _form_of(image: Image.Image) -> str:
    if image.format == "TIFF":
        return "PNG" if _has_alpha(image) else "JPEG"
    return BECOMES[image.format or ""]


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info


def _check_pixels(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.pixels:
        raise TooMuchError(f"it has more than {limits.pixels} pixels")


def _durations(image: Image.Image, limits: Limits) -> list[int]:
    """Of each frame; looks at no more frames than allowed."""
    durations: list[int] = []
    area = 0
    while True:
        try:
            image.seek(len(durations))
        except EOFError:
            return durations
        area += image.width * image.height
        if len(durations) == limits.frames:
            raise TooMuchError(f"it has more than {limits.frames} frames")
        if area > limits.frame_pixels:
            raise TooMuchError(f"its frames have more than {limits.frame_pixels} pixels together")
        image.load()
        durations.append(int(image.info.get("duration", 0)))


def _save_animation(image: Image.Image, form: str, durations: list[int], target: int) -> None:
    loop = image.info.get("loop")
    image.seek(0)
    frames = _frames(image)
    options = OPTIONS[form] | {"duration": durations} | ({} if loop is None else {"loop": loop})
    if form == "GIF":
        options["disposal"] = 2
    first = next(frames)
    _write(target, lambda out: first.save(out, form, save_all=True, append_images=frames, **options))


def _frames(image: Image.Image) -> Iterator[Image.Image]:
    for frame in ImageSequence.Iterator(image):
        plain = frame.convert("RGBA")
        plain.info = {}
        yield plain


def _still(image: Image.Image) -> Image.Image:
    """Turned as the camera meant it, in sRGB."""
    profile = image.info.get("icc_profile")
    turned = ImageOps.exif_transpose(image)
    if profile and turned.mode in {"RGB", "RGBA", "CMYK"}:
        mode = "RGB" if turned.mode == "CMYK" else turned.mode
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        made = ImageCms.profileToProfile(turned, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        turned = made or turned
    turned.info = {name: value for name, value in turned.info.items() if name == "transparency"}
    return turned


def _plain(image: Image.Image, form: str) -> Image.Image:
    """In a mode that the format has."""
    if form == "JPEG" and image.mode not in {"L", "RGB"}:
        return image.convert("RGB")
    if form == "PNG" and image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}:
        return image.convert("RGBA" if _has_alpha(image) else "RGB")
    return image


def _write(target: int, save: Any) -> None:
    with open(target, "wb", closefd=False) as out:
        save(out)


def main() -> None:
    order = msgspec.json.decode(sys.argv[1], type=Order)
    resource.setrlimit(resource.RLIMIT_AS, (order.limits.memory, order.limits.memory))
    resource.setrlimit(resource.RLIMIT_CPU, (order.limits.seconds, order.limits.seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(msgspec.json.encode(work(order)))


if __name__ == "__main__":
    main()
