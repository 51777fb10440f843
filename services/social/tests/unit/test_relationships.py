import pytest

from shared.errors import Conflict, Forbidden, Invalid, NotFound
from social.domain.relationships import MAX_FOLLOWING, check_can_follow, check_open, check_other


def test_oneself_is_rejected():
    check_other("a", "b")
    with pytest.raises(Invalid):
        check_other("a", "a")


def test_closed_accounts_are_rejected():
    check_open({"a", "b"}, "a", "b")
    for open_people in ({"a"}, {"b"}, set()):
        with pytest.raises(NotFound):
            check_open(open_people, "a", "b")


def test_who_may_follow():
    check_can_follow("a", set(), MAX_FOLLOWING - 1)
    for blockers, following, error in (
        ({"a"}, 0, Conflict),
        ({"a", "b"}, 0, Conflict),
        ({"b"}, 0, Forbidden),
        (set(), MAX_FOLLOWING, Conflict),
    ):
        with pytest.raises(error):
            check_can_follow("a", blockers, following)
