"""Fair shares: one person gets a part of the places and of the computing time."""

from contextlib import ExitStack

import pytest

from media.service.shares import ComputingTime, Places
from shared.errors import RateLimited, Unavailable


def test_one_person_holds_a_part_of_the_places():
    places = Places(3, of_one=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(places.place("anna"))
        with pytest.raises(Unavailable, match="of your uploads"):
            stack.enter_context(places.place("anna"))
        stack.enter_context(places.place("berta"))
        with pytest.raises(Unavailable, match="Too many uploads"):
            stack.enter_context(places.place("cho"))
    with places.place("anna"), places.place("anna"), places.place("cho"):
        pass


def test_computing_time_is_forgiven_second_by_second():
    time_of_one = ComputingTime(30)
    time_of_one.charge("anna", 29, now=0)
    time_of_one.check("anna", 0)
    time_of_one.charge("anna", 11, now=0)
    with pytest.raises(RateLimited) as refused:
        time_of_one.check("anna", 0)
    assert refused.value.retry_after == 20
    time_of_one.check("berta", 0)
    with pytest.raises(RateLimited):
        time_of_one.check("anna", 19)
    time_of_one.check("anna", 20.5)


def test_people_whose_time_is_forgiven_are_forgotten():
    time_of_one = ComputingTime(30)
    for number in range(1000):
        time_of_one.charge(f"person {number}", 1, now=number)
    assert len(time_of_one._used) <= 3
