import pytest

from media.domain.ranges import NoSuchRangeError, span_of


@pytest.mark.parametrize(
    ("header", "span"),
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
def test_one_range_or_all(header, span):
    assert span_of(header, None, '"e"', 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0"])
def test_there_is_nothing(header):
    with pytest.raises(NoSuchRangeError):
        span_of(header, None, '"e"', 10)


def test_a_range_of_another_file_is_the_whole_of_this_one():
    assert span_of("bytes=2-5", '"e"', '"e"', 10) == (2, 5)
    assert span_of("bytes=2-5", '"other"', '"e"', 10) is None
    assert span_of("bytes=2-5", 'W/"e"', '"e"', 10) is None
