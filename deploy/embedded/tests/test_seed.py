"""Seeding a running instance, with fewer and shorter rooms."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from embedded.failures import CannotRun
from embedded.seed import command
from embedded.seed.dataset import PASSWORD, ROOMS
from embedded.seed.scenes import conversation
from embedded.settings import Settings

from .conftest import Instance, Start

FEW = tuple(replace(room, messages=12) for room in (ROOMS[0], ROOMS[10]))


def settings_of(instance: Instance) -> Settings:
    return Settings(environment={}, data=instance.data, port=instance.port, nginx=Path(), client=Path())


def test_seeding_twice_adds_nothing(
    webchat: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROOMS", FEW)
    for _ in range(2):
        assert command.seed(settings_of(webchat)) == 0
        assert PASSWORD in capsys.readouterr().out.splitlines()[-1]
    with httpx.Client(base_url=webchat.url, trust_env=False) as browser:
        assert browser.post("/api/auth/login", json={"login": "minji", "password": PASSWORD}).status_code == 200
        rooms = {room["title"]: room for room in browser.get("/api/rooms").json()["items"]}
        assert len(browser.get("/api/social/following").json()["items"]) == 13
        group = rooms[FEW[1].title]
        messages = browser.get(f"/api/rooms/{group['room_id']}/messages").json()["items"]
    assert len(rooms) == len(FEW)
    assert [message["body"] for message in messages] == [line.body for line in conversation(FEW[1])]
    assert all(room["last_seq"] == 12 for room in rooms.values())


def test_without_an_instance_it_fails(start: Start) -> None:
    with pytest.raises(CannotRun, match="make run"):
        command.seed(settings_of(start()))
