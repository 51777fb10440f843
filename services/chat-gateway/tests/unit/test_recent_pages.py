"""The cache of replies with newest pages: only for their version, and within its size."""

import json

import pytest

from chat_gateway.driver.recent_pages import RecentPages
from chat_gateway.protocol.frames import PageReply

KEY = ("room", 0, 50)
SIZE = len(json.dumps({"messages": [], "has_more": False, "version": 5}, separators=(",", ":")))
"""Bytes of a cached page."""


def page(version: int) -> PageReply:
    return PageReply(id="first", messages=[], has_more=False, version=version)


@pytest.mark.parametrize("frame_id", ["", "7", 'quote " and 한글'])
def test_a_cached_reply_gets_the_id_of_the_new_frame(frame_id: str):
    pages = RecentPages()
    pages.store(KEY, 5, page(5))
    reply = pages.find(KEY, 5, frame_id)
    assert reply is not None
    assert json.loads(reply) == {"op": "ok", "id": frame_id, "messages": [], "has_more": False, "version": 5}


def test_a_page_of_another_version_or_key_is_not_found():
    pages = RecentPages()
    pages.store(KEY, 5, page(5))
    assert [pages.find(KEY, 6, ""), pages.find(("room", 1, 50), 5, ""), pages.find(("room", 0, 49), 5, "")] == [
        None
    ] * 3
    pages.store(KEY, 6, page(6))
    assert pages.find(KEY, 5, "") is None
    assert pages.find(KEY, 6, "") is not None


def test_the_least_recently_used_page_is_removed_first():
    pages = RecentPages(max_bytes=2 * SIZE)
    for room in "abc":
        pages.store((room, 0, 50), 5, page(5))
        assert pages.find(("a", 0, 50), 5, "") is not None
    assert [room for room in "abc" if pages.find((room, 0, 50), 5, "")] == ["a", "c"]


def test_clearing_removes_all_pages_and_frees_their_bytes():
    pages, keys = RecentPages(max_bytes=3 * SIZE), [(room, 0, 50) for room in "abc"]
    for _ in range(2):  # the freed bytes can be used again
        for key in keys:
            pages.store(key, 5, page(5))
        assert [key for key in keys if pages.find(key, 5, "")] == keys
        pages.clear()
        assert [key for key in keys if pages.find(key, 5, "")] == []


def test_a_page_stored_again_is_counted_once():
    pages, keys = RecentPages(max_bytes=2 * SIZE), [("a", 0, 50), ("b", 0, 50)]
    for version in (5, 6, 7):
        for key in keys:
            pages.store(key, version, page(version))
    assert [key for key in keys if pages.find(key, 7, "")] == keys
