import io
import zipfile

import pytest
from PIL import Image

from media.domain.file_types import ACTIVE, INLINE, display_type, type_of


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, form)
    return out.getvalue()


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(zipfile.ZipInfo(name), "x")  # without the time: test ids must be the same in all workers
    return out.getvalue()


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        *((picture(form), f"image/{form.lower()}") for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")),
        (b"%PDF-1.7", "application/pdf"),
        (archive("a"), "application/zip"),
        (archive("[Content_Types].xml", "word/document.xml"),
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "video/mp4"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 99, "image/heif"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm", "video/webm"),
        (b"ID3\x03\0\0\0\0\0\0" + b"\0" * 99, "audio/mpeg"),
        (b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 30, "audio/wav"),
        (b"MZ\x90\0" + b"\0" * 99, "application/vnd.microsoft.portable-executable"),
        ("안녕".encode(), "text/plain"),
        (b"alert(1)", "text/plain"),
        (b"\x01\x02\x03", "application/octet-stream"),
        (b"  <!DOCTYPE html><script>", "text/html"),
        (b"\xef\xbb\xbf<html>", "text/html"),
        (b"<svg onload=alert(1)>", "image/svg+xml"),
        (b'<?xml version="1.0"?><!-- x --><svg>', "image/svg+xml"),
        (b'<?xml version="1.0"?><feed>', "application/xml"),
    ],
)  # fmt: skip
def test_detection_by_content(head, mime):
    assert type_of(head) == mime


def test_types_that_can_contain_scripts_are_never_inline():
    assert not ACTIVE & INLINE
    for mime in ACTIVE:
        assert display_type(mime) == ("application/octet-stream", False)
    assert display_type("image/png") == ("image/png", True)
    assert display_type("application/pdf") == ("application/pdf", False)
