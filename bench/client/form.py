"""The form of an upload over HTTP."""

UPLOAD = "/api/media/attachments"
_EDGE = "benchbenchbench"
CONTENT_TYPE = f"multipart/form-data; boundary={_EDGE}"


def form(room_id: str, data: bytes, filename: str = "bench.bin") -> bytes:
    return head(room_id, filename) + data + f"\r\n--{_EDGE}--\r\n".encode()


def head(room_id: str, filename: str) -> bytes:
    """Return the form up to the bytes of the file."""
    return (
        f'--{_EDGE}\r\nContent-Disposition: form-data; name="room_id"\r\n\r\n{room_id}\r\n'
        f'--{_EDGE}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
