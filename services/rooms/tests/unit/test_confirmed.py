"""Confirmations count until Redis loses data."""

import pytest

from rooms.service.publication.confirmed import ConfirmedVersions


def test_only_newer_heads_are_unconfirmed() -> None:
    confirmed = ConfirmedVersions()
    confirmed.add({"a": 3, "b": 5}, confirmed.generation)
    confirmed.add({"a": 2}, confirmed.generation)
    assert confirmed.select_unconfirmed({"a": 3, "b": 6, "c": 1}) == {"b": 6, "c": 1}
    assert confirmed.versions_of(["a", "c"]) == {"a": 3}


def test_a_confirmation_that_was_requested_before_a_loss_does_not_count() -> None:
    confirmed = ConfirmedVersions()
    requested = confirmed.generation
    confirmed.add({"a": 1}, requested)
    confirmed.forget()
    confirmed.add({"a": 2}, requested)
    assert confirmed.select_unconfirmed({"a": 1}) == {"a": 1}
    confirmed.add({"a": 2}, confirmed.generation)
    assert confirmed.select_unconfirmed({"a": 2}) == {}


def test_idle_rooms_are_dropped() -> None:
    confirmed = ConfirmedVersions()
    confirmed.add({"a": 1, "b": 1}, confirmed.generation)
    confirmed.keep({"b", "c"})
    assert list(confirmed) == ["b"]


def test_too_many_rooms_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.service.publication.confirmed.MAX_CONFIRMED_ROOMS", 2)
    confirmed = ConfirmedVersions()
    confirmed.add({"a": 1, "b": 1}, 0)
    assert (list(confirmed), confirmed.generation) == (["a", "b"], 0)
    confirmed.add({"c": 1}, 0)
    assert (list(confirmed), confirmed.generation) == ([], 1)
