"""A streaming parser of `multipart/form-data` bodies with one file and a few short fields."""

from collections.abc import AsyncIterator

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from media.service.spool import Spool
from shared.errors import Invalid, TooLarge

FILE = "file"
FIELDS = ("room_id", "client_id")
MAX_FIELD = 256
MAX_PARTS = 8
OVERHEAD = 64 * 1024
"""Bytes that a form may have in addition to its file."""


class Form:
    """Takes chunks of the body and returns the file's bytes in them. Fields and filename are complete at the end."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.is_complete = False
        self._found = bytearray()
        self._part_count = 0
        self._name = ""
        self._header = self._value = b""
        self._headers: dict[str, str] = {}
        self._field = bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._end,
                "on_end": self._complete,
            },
        )

    def feed(self, data: bytes) -> bytes:
        """Return the file's bytes in `data`; raises Invalid for a malformed or unexpected form."""
        self._found.clear()
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise Invalid("The form cannot be read.") from error
        return bytes(self._found)

    def _begin(self) -> None:
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise Invalid(f"A form has at most {MAX_PARTS} parts.")
        self._name, self._headers = "", {}
        self._field.clear()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        self._name = options.get(b"name", b"").decode(errors="replace")
        if self._name == FILE:
            if self.filename is not None:
                raise Invalid("A form has one file.", errors={FILE: "must occur once"})
            self.filename = options.get(b"filename", b"").decode(errors="replace")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE:
            self._found += data[start:end]
        elif self._name in FIELDS:
            self._field += data[start:end]
            if len(self._field) > MAX_FIELD:
                raise Invalid("A field is too long.", errors={self._name: f"at most {MAX_FIELD} bytes"})

    def _end(self) -> None:
        if self._name in FIELDS:
            self.fields[self._name] = self._field.decode(errors="replace")

    def _complete(self) -> None:
        self.is_complete = True


async def read_form(content_type: str, stream: AsyncIterator[bytes], spool: Spool, limit: int) -> Form:
    """Read a form and write its file to the spool.

    Raises TooLarge before more than `limit` and the overhead of a form is read, Invalid for a malformed form.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise Invalid("The form names no boundary.")
    form = Form(boundary)
    size = 0
    async for data in stream:
        size += len(data)
        if size > limit + OVERHEAD:
            raise TooLarge(f"A file has at most {limit} bytes.", errors={FILE: "is too large"})
        await spool.write(form.feed(data))
    if not form.is_complete:
        raise Invalid("The form is not complete.")
    if form.filename is None:
        raise Invalid("The form has no file.", errors={FILE: "is missing"})
    return form
