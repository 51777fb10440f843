import pytest

from media.domain.ranges import NoSuchRangeError, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 0)),
        ("bytes=2-5", (2, 5)),
        ("bytes=2-500", (2, 9)),
        ("bytes=9-", (9, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-300", (0, 9)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=" + "9" * 30 + "-", None),
    ],
)
def test_one_range_or_all(header, expected):
    assert parse_range(header, None, '"e"', 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0"])
def test_unsatisfiable_ranges(header):
    with pytest.raises(NoSuchRangeError):
        parse_range(header, None, '"e"', 10)


def test_if_range_with_another_etag_yields_the_whole_file():
    assert parse_range("bytes=2-5", '"e"', '"e"', 10) == (2, 5)
    assert parse_range("bytes=2-5", '"other"', '"e"', 10) is None
    assert parse_range("bytes=2-5", 'W/"e"', '"e"', 10) is None
