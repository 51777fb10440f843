"""A process that decodes one picture and encodes it again: upright, without metadata, with a thumbnail.

`python -m media.service.picture_worker JOB` takes a Job as JSON and prints a ProcessedPicture as JSON. It sets its own
resource limits.
"""

import io
import math
import os
import resource
import sys
import time
from collections.abc import Iterator
from typing import IO, Any

import msgspec
from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
ANIMATED = ("GIF", "WEBP")
THUMBNAIL = (400, 400)
OUTPUT_FORMATS = {
    "JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "GIF": "GIF", "WEBP": "WEBP", "BMP": "PNG", "AVIF": "WEBP",
}  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 3},  # 6, the default, takes four times as long for a tenth of the size
    "WEBP": {"quality": 88, "method": 2},
    "GIF": {},
}


ORDINARY_S = 2
"""CPU seconds for a picture of up to 10 megapixels. The slowest kind, PNG, takes about 0.15 s for each megapixel."""
PIXELS_PER_S = 5_000_000
"""Larger pictures get a second for each of these."""
LOW_PRIORITY = 10
"""The niceness of this process: pictures wait for chats on the same cores, and not the reverse."""


class Limits(msgspec.Struct):
    pixels: int
    side: int
    frames: int
    frame_pixels: int
    """All frames of an animation together."""
    memory: int


class Job(msgspec.Struct):
    """Inherited file descriptors, and limits."""

    source: int
    file: int
    thumbnail: int
    limits: Limits


class ProcessedPicture(msgspec.Struct, omit_defaults=True):
    content_type: str = ""
    width: int = 0
    height: int = 0
    error: str = ""
    cpu_s: float = 0
    """CPU seconds that the worker used."""


class TooLargeError(Exception):
    """More pixels or frames than allowed."""


def work(job: Job) -> ProcessedPicture:
    with open(job.source, "rb", closefd=False) as source:
        source.seek(0)
        try:
            return _make(source, job)
        except TooLargeError as error:
            return ProcessedPicture(error=str(error))
        except UnidentifiedImageError:
            return ProcessedPicture(error="it is not a picture in a supported format")
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError, ImageCms.PyCMSError):
            return ProcessedPicture(error="it is damaged or too costly")


def _make(source: IO[bytes], job: Job) -> ProcessedPicture:
    Image.MAX_IMAGE_PIXELS = None  # _check_size applies the limits instead, before anything is decoded
    image = Image.open(source, formats=FORMATS)
    frames = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    _check_size(image, frames, job.limits)
    _limit_cpu(cpu_limit_s(image.width * image.height * frames))
    form = _output_format(image)
    if frames > 1:
        _save_animation(image, form, _durations(image, frames), job.file)
        image.seek(0)
        first = image.convert("RGBA")
    else:
        first = _still(image)
        _write(job.file, lambda out: _plain(first, form).save(out, form, **OPTIONS[form]))
    small = first.convert("RGBA" if _has_alpha(first) else "RGB")
    small.thumbnail(THUMBNAIL)
    small.info = {}
    _write(job.thumbnail, lambda out: small.save(out, "WEBP", quality=78, method=2))
    return ProcessedPicture(f"image/{form.lower()}", first.width, first.height)


def _output_format(image: Image.Image) -> str:
    if image.format == "TIFF":
        return "PNG" if _has_alpha(image) else "JPEG"
    return OUTPUT_FORMATS[image.format or ""]


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info


def _check_size(image: Image.Image, frames: int, limits: Limits) -> None:
    """Raise TooLargeError for a size that the header names, before anything is decoded."""
    pixels = image.width * image.height
    if max(image.size) > limits.side:
        raise TooLargeError(f"it is more than {limits.side} pixels wide or high")
    if pixels > limits.pixels:
        raise TooLargeError(f"it has more than {limits.pixels} pixels")
    if frames > limits.frames:
        raise TooLargeError(f"it has more than {limits.frames} frames")
    if frames > 1 and pixels * frames > limits.frame_pixels:
        raise TooLargeError(f"its frames have more than {limits.frame_pixels} pixels together")


def cpu_limit_s(pixels: int) -> int:
    """Return the CPU seconds that decoding and encoding this number of pixels may take."""
    return max(ORDINARY_S, math.ceil(pixels / PIXELS_PER_S))


def _limit_cpu(seconds: int) -> None:
    """Let the kernel end this process when it has used so many CPU seconds."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _durations(image: Image.Image, frames: int) -> list[int]:
    """Return the duration of each frame in milliseconds, and check that each can be decoded."""
    durations: list[int] = []
    for number in range(frames):
        image.seek(number)
        image.load()
        durations.append(int(image.info.get("duration", 0)))
    return durations


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
    """Return the picture upright and in sRGB."""
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
    """Convert to a mode that the format supports."""
    if form == "JPEG" and image.mode not in {"L", "RGB"}:
        return image.convert("RGB")
    if form == "PNG" and image.mode not in {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}:
        return image.convert("RGBA" if _has_alpha(image) else "RGB")
    return image


def _write(target: int, save: Any) -> None:
    with open(target, "wb", closefd=False) as out:
        save(out)


def restrict_process(memory: int) -> None:
    """Limit what this process may take from the others."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(LOW_PRIORITY)
    _limit_cpu(ORDINARY_S)  # until the header of the picture is read


def main() -> None:
    job = msgspec.json.decode(sys.argv[1], type=Job)
    restrict_process(job.limits.memory)
    made = work(job)
    made.cpu_s = time.process_time()
    sys.stdout.buffer.write(msgspec.json.encode(made))


if __name__ == "__main__":
    main()
