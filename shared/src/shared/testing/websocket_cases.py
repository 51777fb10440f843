"""Correct and incorrect WebSocket input, and its answers: the cases of Autobahn's fuzzing client.

A name begins with the number of its case there. Our server does not echo, so a message is a frame with an unknown op,
whose error has the `id` of the message. The rates are switched off, because some cases exceed them.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from shared.testing.utf8_cases import INVALID_TEXTS, VALID_TEXTS
from shared.testing.websocket_client import (
    BINARY,
    CLOSE,
    CONT,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    RawClient,
    close_frame,
    fragments,
    frame,
)

Answer: TypeAlias = str | bytes | None
"""The `id` of an error, None for an error without one, or the payload of a pong."""

PROTOCOL_ERROR, INVALID_DATA, TOO_LARGE, MALFORMED, KIB, MIB = 1002, 1007, 1009, 4501, 2**10, 2**20


@dataclass(frozen=True)
class Case:
    """`pieces` returns what the client writes. The server gives the answers, and closes with the code."""

    name: str
    pieces: Callable[[], Sequence[bytes]]
    answers: tuple[Answer, ...] = ()
    code: int = 1000


async def outcome(case: Case, client: RawClient) -> tuple[tuple[Answer, ...], int]:
    """Play a case. Returns the answers and the code with which the server closed the connection."""
    sending = asyncio.create_task(client.send(*case.pieces()))
    *answers, close = await client.receive_all()
    sending.cancel()
    with suppress(asyncio.CancelledError, ConnectionError):
        await sending
    return tuple(one.payload if one.opcode == PONG else one.json.get("id") for one in answers), close.code


def message(name: str, size: int | None = None) -> bytes:
    """Return a message of the size, which is answered with an error with this id."""
    head, tail = b'{"op":"nothing","id":"%b","x":"' % name.encode(), b'"}'
    return head + b"*" * ((size or 0) - len(head) - len(tail)) + tail


def chopped(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _good(name: str, *pieces: bytes, answers: tuple[Answer, ...] = ()) -> Case:
    """Return a case in which the client closes the connection normally after the pieces."""
    return Case(name, lambda: [*pieces, close_frame()], answers)


def _bad(name: str, *pieces: bytes, answers: tuple[Answer, ...] = (), code: int = PROTOCOL_ERROR) -> Case:
    return Case(name, lambda: pieces, answers, code)


def _large(name: str, build: Callable[[], Sequence[bytes]], *answers: Answer, code: int = 1000) -> Case:
    """Return a case whose pieces are built when it is played."""
    return Case(name, lambda: [*build(), close_frame()], answers, code)


def _messages() -> Iterator[Case]:
    yield _good("1.1.1 an empty text", frame(TEXT), answers=(None,))
    yield _good("1.2.1 an empty binary message", frame(BINARY), answers=(None,))
    for at, size in enumerate((125, 126, 127, 128, 65535, 65536), start=2):
        yield _good(f"1.1.{at} a text of {size} bytes", frame(TEXT, message("a", size)), answers=("a",))
        yield _good(f"1.2.{at} a binary message of {size} bytes", frame(BINARY, b"\xfe" * size), answers=(None,))
    yield _good("1.1.8 a text in pieces", *chopped(frame(TEXT, message("a", 65536)), 997), answers=("a",))
    yield _good("1.2.8 a binary message in pieces", *chopped(frame(BINARY, bytes(65536)), 997), answers=(None,))


def _pings() -> Iterator[Case]:
    for name, payload in (
        ("2.1 a ping without a payload", b""),
        ("2.2 a ping with a text", b"Hello, world!"),
        ("2.3 a ping with bytes", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
        ("2.4 a ping with 125 bytes", b"\xfe" * 125),
    ):
        yield _good(name, frame(PING, payload), answers=(payload,))
    yield _bad("2.5 a ping with 126 bytes", frame(PING, bytes(126)))
    yield _good("2.6 a ping byte by byte", *chopped(frame(PING, bytes(125)), 1), answers=(bytes(125),))
    yield _good("2.7 a pong nobody asked for", frame(PONG))
    yield _good("2.8 a pong with a payload", frame(PONG, b"unsolicited"))
    yield _good("2.9 a pong, then a ping", frame(PONG, b"unsolicited"), frame(PING, b"ping"), answers=(b"ping",))
    payloads = tuple(b"ping %d" % number for number in range(10))
    pings = b"".join(frame(PING, payload) for payload in payloads)
    yield _good("2.10 ten pings", pings, answers=payloads)
    yield _good("2.11 ten pings byte by byte", *chopped(pings, 1), answers=payloads)


def _reserved() -> Iterator[Case]:
    first, ping = frame(TEXT, message("a")), frame(PING)
    yield _bad("3.1 reserved bits 1 in a text", frame(TEXT, message("a"), reserved=1))
    second = frame(TEXT, message("b"), reserved=2)
    yield _bad("3.2 reserved bits 2 in the second text", first, second, ping, answers=("a",))
    third = frame(TEXT, message("b"), reserved=3)
    yield _bad("3.3 reserved bits 3 in one piece", first + third + ping, answers=("a",))
    fourth = frame(TEXT, message("b"), reserved=4)
    yield _bad("3.4 reserved bits 4 byte by byte", *chopped(first + fourth + ping, 1), answers=("a",))
    yield _bad("3.5 reserved bits 5 in a binary message", frame(BINARY, b"x", reserved=5))
    yield _bad("3.6 reserved bits 6 in a ping", frame(PING, b"x", reserved=6))
    yield _bad("3.7 reserved bits 7 in a close frame", frame(CLOSE, b"", reserved=7))
    for section, opcodes in (("4.1", range(3, 8)), ("4.2", range(11, 16))):
        for at, opcode in enumerate(opcodes, start=1):
            yield _bad(f"{section}.{at} opcode {opcode}", first, frame(opcode), ping, answers=("a",))
    yield _bad("RFC 6455 §5.1 a frame without a mask", frame(TEXT, message("a"), mask=False))
    yield _bad("RFC 6455 §5.2 a long encoding of a short length", b"\x81\xfe\x00\x05" + bytes(9))
    yield _bad("RFC 6455 §5.2 the highest bit of a length", b"\x81\xff\x80" + bytes(11))


def _fragmentation() -> Iterator[Case]:
    yield _bad("5.1 a ping in two fragments", frame(PING, b"a", final=False), frame(CONT, b"b"))
    yield _bad("5.2 a pong in two fragments", frame(PONG, b"a", final=False), frame(CONT, b"b"))
    one, two = fragments(TEXT, chopped(message("a"), 20))[0], fragments(TEXT, [b"", message("a")[20:]])[1]
    yield _good("5.3 a text in two fragments", one + two, answers=("a",))
    yield _good("5.4 a text in two fragments, written separately", one, two, answers=("a",))
    yield _good("5.5 a text in two fragments, byte by byte", *chopped(one + two, 1), answers=("a",))
    ping = frame(PING, b"p")
    yield _good("5.6 a ping between fragments", one + ping + two, answers=(b"p", "a"))
    yield _good("5.7 a ping between fragments, written separately", one, ping, two, answers=(b"p", "a"))
    yield _good("5.8 a ping between fragments, byte by byte", *chopped(one + ping + two, 1), answers=(b"p", "a"))
    rest = frame(TEXT, message("b"))
    for at, final in ((9, True), (12, False)):
        start = frame(CONT, b"non-continuation", final=final)
        words = f"a continuation of nothing, final: {final}"
        yield _bad(f"5.{at} {words}", start + rest)
        yield _bad(f"5.{at + 1} {words}, written separately", start, rest)
        yield _bad(f"5.{at + 2} {words}, byte by byte", *chopped(start + rest, 1))
    yield _bad("5.15 a continuation after a message", one, two, frame(CONT, b"x"), rest, answers=("a",))
    for at, final in ((16, False), (17, True)):
        yield _bad(f"5.{at} a continuation before a text, final: {final}", frame(CONT, b"x", final=final), rest)
    yield _bad("5.18 a text inside a text", one, frame(TEXT, b"second"))
    parts = fragments(TEXT, chopped(message("a"), 8))
    pings = [frame(PING, b"%d" % at) for at in range(len(parts))]
    answers = tuple(b"%d" % at for at in range(len(parts)))
    mixed = [piece for pair in zip(pings, parts, strict=True) for piece in pair]
    yield _good("5.19 pings between all fragments", b"".join(mixed), answers=(*answers, "a"))
    yield _good("5.20 pings between all fragments, written separately", *mixed, answers=(*answers, "a"))


def _texts() -> Iterator[Case]:
    yield _good("6.1.1 an empty text", frame(TEXT), answers=(None,))
    yield _good("6.1.2 three empty fragments", *fragments(TEXT, [b""] * 3), answers=(None,))
    yield _good("6.1.3 empty fragments around a text", *fragments(TEXT, [b"", b"middle", b""]), answers=(None,))
    text = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield _good("6.2.1 a valid text", frame(TEXT, text), answers=(None,))
    yield _good("6.2.2 a valid text in two fragments", *fragments(TEXT, [text[:7], text[7:]]), answers=(None,))
    yield _good("6.2.3 a fragment for each byte", *fragments(TEXT, chopped(text, 1)), answers=(None,))
    greek = "κόσμε".encode()
    broken = greek + b"\xed\xa0\x80edited"
    yield _bad("6.3.1 an invalid text", frame(TEXT, broken), code=INVALID_DATA)
    yield _bad(
        "6.3.2 an invalid text, a fragment for each byte", *fragments(TEXT, chopped(broken, 1)), code=INVALID_DATA
    )
    head = frame(TEXT, greek, final=False)
    yield _bad("6.4.1 the rest is not needed", head, frame(CONT, b"\xf4\x90\x80\x80", final=False), code=INVALID_DATA)
    halves = frame(CONT, b"\xf4", final=False), frame(CONT, b"\x90", final=False)
    yield _bad("6.4.2 the rest of a character is not needed", head, *halves, code=INVALID_DATA)
    whole = frame(TEXT, greek + b"\xf4\x90\x80\x80edited")
    yield _bad("6.4.3 the rest of a frame is not needed", whole[:-8], code=INVALID_DATA)
    yield _bad("6.4.4 byte by byte, up to the error", *chopped(whole[:-8], 1), code=INVALID_DATA)
    for name, text in VALID_TEXTS.items():
        yield _good(name, frame(TEXT, text), answers=(None,))
    for name, text in INVALID_TEXTS.items():
        yield _bad(name, frame(TEXT, text), code=INVALID_DATA)
        yield _bad(f"{name}, in fragments", *fragments(TEXT, chopped(text, 1)), code=INVALID_DATA)


def _closing() -> Iterator[Case]:
    close, text, ping = close_frame(), frame(TEXT, message("a")), frame(PING)
    yield _good("7.1.1 a text, then a close frame", text, answers=("a",))
    yield _good("7.1.2 two close frames", close)
    yield _bad("7.1.3 a ping after the close frame", close, ping, code=1000)
    yield _bad("7.1.4 a text after the close frame", close, text, code=1000)
    one, two = fragments(TEXT, [b"fragment 1", b"fragment 2"])
    yield _bad("7.1.5 a close frame between fragments", one, close, two, code=1000)
    large = frame(TEXT, message("a", 256 * KIB))
    yield _bad("7.1.6 a large text, a close frame, a ping", large, close, ping, answers=("a",), code=1000)
    yield _bad("7.3.1 a close frame without a payload", close_frame(None), code=NO_CODE)
    yield _bad("7.3.2 a close frame with one byte", frame(CLOSE, b"a"))
    yield _bad("7.3.3 a close frame with a code", close, code=1000)
    yield _bad("7.3.4 a close frame with a reason", close_frame(1000, b"Hello World!"), code=1000)
    yield _bad("7.3.5 a reason of 123 bytes", close_frame(1000, b"*" * 123), code=1000)
    yield _bad("7.3.6 a reason of 124 bytes", close_frame(1000, b"*" * 124))
    yield _bad("7.5.1 a reason that is not UTF-8", close_frame(1000, b"\xce\xba\xed\xa0\x80"), code=INVALID_DATA)
    valid = (*range(1000, 1004), *range(1007, 1012), 3000, 3999, 4000, 4999)
    for at, code in enumerate(valid, start=1):
        yield _bad(f"7.7.{at} the code {code}", close_frame(code), code=code)
    for at, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), start=1):
        yield _bad(f"7.9.{at} the code {code}", close_frame(code))
    for at, code in enumerate((5000, 65535), start=1):
        yield _bad(f"7.13.{at} the code {code}", close_frame(code))


def _text(size: int) -> list[bytes]:
    return [frame(TEXT, message("a", size))]


def _binary(size: int) -> list[bytes]:
    return [frame(BINARY, bytes(size))]


def _fragmented(opcode: int, payload: bytes, size: int) -> list[bytes]:
    return [b"".join(fragments(opcode, chopped(payload, size)))]


def _large_messages() -> Iterator[Case]:
    for at, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB), start=1):
        yield _large(f"9.1.{at} a text of {size} bytes", partial(_text, size), "a")
        yield _large(f"9.2.{at} a binary message of {size} bytes", partial(_binary, size), None)
    over = 8 * MIB + 1
    yield _large("9.1.6 a text of more than 8 MiB", partial(_text, over), code=TOO_LARGE)
    yield _large("9.2.6 a binary message of more than 8 MiB", partial(_binary, over), code=TOO_LARGE)
    split = partial(_fragmented, TEXT, bytes(over), 4 * MIB)
    yield _large("9.1.6 a text of more than 8 MiB in fragments", split, code=TOO_LARGE)
    for at, size in enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB), start=1):
        words = f"of 4 MiB in fragments of {size} bytes"
        yield _large(f"9.3.{at} a text {words}", partial(_fragmented, TEXT, message("a", 4 * MIB), size), "a")
        yield _large(f"9.4.{at} a binary message {words}", partial(_fragmented, BINARY, bytes(4 * MIB), size), None)
    for at, size in enumerate((64, 128, 256, 512, KIB, 2 * KIB), start=1):
        text = partial(chopped, frame(TEXT, message("a", MIB)), size)
        yield _large(f"9.5.{at} a text of 1 MiB in pieces of {size} bytes", text, "a")
    for at, size in enumerate((64, 256, KIB, 4 * KIB), start=3):
        texts = partial(chopped, frame(TEXT, message("a", size)) * 1000, MIB)
        yield _large(f"9.7.{at} a thousand texts of {size} bytes", texts, *["a"] * 1000)
    thousand = partial(chopped, frame(BINARY, b"x") * 1000, MIB)
    yield _large("9.8.1 a thousand binary messages", thousand, *[None] * 33, code=MALFORMED)
    parts = partial(_fragmented, TEXT, message("a", 65536), 1300)
    yield _large("10.1.1 a text in fragments of 1,300 bytes", parts, "a")


CASES = (
    *_messages(), *_pings(), *_reserved(), *_fragmentation(), *_texts(), *_closing(), *_large_messages()
)  # fmt: skip
