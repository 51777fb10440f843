"""Texts that are UTF-8, and byte sequences that are not: the table of Markus Kuhn, as Autobahn's section 6 has it."""

_GREEK = "κόσμε".encode()
_WHOLE = {0, 2, 4, 6, 8, 10}
"""Lengths at which no character of `_GREEK` is split."""

VALID_TEXTS = {
    **{f"6.6 the first {end} bytes of a text": _GREEK[:end] for end in sorted(_WHOLE)},
    "6.7.1 the first character of one byte": b"\x00",
    "6.7.2 the first character of two bytes": b"\xc2\x80",
    "6.7.3 the first character of three bytes": b"\xe0\xa0\x80",
    "6.7.4 the first character of four bytes": b"\xf0\x90\x80\x80",
    "6.9.1 the last character of one byte": b"\x7f",
    "6.9.2 the last character of two bytes": b"\xdf\xbf",
    "6.9.3 the last character of three bytes": b"\xef\xbf\xbf",
    "6.9.4 the last character": b"\xf4\x8f\xbf\xbf",
    "6.11.1 the last before the surrogates": b"\xed\x9f\xbf",
    "6.11.2 the first after the surrogates": b"\xee\x80\x80",
    "6.11.3 the replacement character": b"\xef\xbf\xbd",
    "6.22 noncharacters": b"".join(
        chr(plane * 0x10000 + low).encode() for plane in range(17) for low in (0xFFFE, 0xFFFF)
    ),
    "6.23 specials": "\ufeff\ufff9\ufffa\ufffb\ufffc\ufffd".encode(),
}

_INVALID = {
    **{f"6.6 the first {end} bytes of a text": _GREEK[:end] for end in range(len(_GREEK)) if end not in _WHOLE},
    "6.8.1 the first of five bytes": b"\xf8\x88\x80\x80\x80",
    "6.8.2 the first of six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "6.10.1 the first after the last character": b"\xf4\x90\x80\x80",
    "6.10.2 the last of four bytes": b"\xf7\xbf\xbf\xbf",
    "6.10.3 the last of five bytes": b"\xfb\xbf\xbf\xbf\xbf",
    "6.10.4 the last of six bytes": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "6.15 incomplete sequences": b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf",
    "6.16.1 fe": b"\xfe",
    "6.16.2 ff": b"\xff",
    "6.16.3 fe and ff": b"\xfe\xfe\xff\xff",
    "6.17.1 an overlong slash in two bytes": b"\xc0\xaf",
    "6.17.2 an overlong slash in three bytes": b"\xe0\x80\xaf",
    "6.17.3 an overlong slash in four bytes": b"\xf0\x80\x80\xaf",
    "6.17.4 an overlong slash in five bytes": b"\xf8\x80\x80\x80\xaf",
    "6.17.5 an overlong slash in six bytes": b"\xfc\x80\x80\x80\x80\xaf",
    "6.18.1 the largest overlong of two bytes": b"\xc1\xbf",
    "6.18.2 the largest overlong of three bytes": b"\xe0\x9f\xbf",
    "6.18.3 the largest overlong of four bytes": b"\xf0\x8f\xbf\xbf",
    "6.18.4 the largest overlong of five bytes": b"\xf8\x87\xbf\xbf\xbf",
    "6.18.5 the largest overlong of six bytes": b"\xfc\x83\xbf\xbf\xbf\xbf",
    "6.19.1 an overlong NUL in two bytes": b"\xc0\x80",
    "6.19.2 an overlong NUL in three bytes": b"\xe0\x80\x80",
    "6.19.3 an overlong NUL in four bytes": b"\xf0\x80\x80\x80",
    "6.19.4 an overlong NUL in five bytes": b"\xf8\x80\x80\x80\x80",
    "6.19.5 an overlong NUL in six bytes": b"\xfc\x80\x80\x80\x80\x80",
}
_SURROGATES = (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)
_PAIRS = ((0xD800, 0xDC00), (0xD800, 0xDFFF), (0xDB7F, 0xDC00), (0xDB7F, 0xDFFF),
          (0xDB80, 0xDC00), (0xDB80, 0xDFFF), (0xDBFF, 0xDC00), (0xDBFF, 0xDFFF))  # fmt: skip


def _surrogates(*codes: int) -> bytes:
    return "".join(map(chr, codes)).encode("utf-8", "surrogatepass")


_INVALID |= {
    f"6.12.{size} continuation bytes, {size} of them": b"\x80\xbf\x80\xbf\x80\xbf\x80"[:size] for size in range(1, 8)
}
_INVALID |= {"6.12.8 all continuation bytes": bytes(range(0x80, 0xC0))}
_INVALID |= {
    f"6.13.{at} start bytes from {first:x} to {last:x}": b"".join(
        bytes((byte, 0x20)) for byte in range(first, last + 1)
    )
    for at, (first, last) in enumerate(((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD)), start=1)
}
_INVALID |= {
    f"6.14.{at} the last byte of a sequence is missing: {sequence.hex(' ')}": sequence
    for at, sequence in enumerate(
        (b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
         b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"), start=1
    )
}  # fmt: skip
_INVALID |= {f"6.20.{at} the surrogate {code:x}": _surrogates(code) for at, code in enumerate(_SURROGATES, start=1)}
_INVALID |= {
    f"6.21.{at} the surrogates {high:x} and {low:x}": _surrogates(high, low)
    for at, (high, low) in enumerate(_PAIRS, start=1)
}

INVALID_TEXTS = _INVALID
