"""Small pieces by themselves: ports, secrets, what is planted."""

import json
import socket
from pathlib import Path

from embedded import credentials, ports
from embedded.seed.cast import PEOPLE, ROOMS
from embedded.seed.scenes import SLOT, conversation, script


def test_ports_are_kept_and_moved_only_when_taken(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    sizes = {"valkey": 1, "s3": 10}
    first = ports.choose(file, sizes)
    assert ports.choose(file, sizes) == first == json.loads(file.read_text())
    with socket.create_server(("127.0.0.1", first["s3"] + 9)):
        second = ports.choose(file, sizes)
    assert second["valkey"] == first["valkey"]
    assert second["s3"] != first["s3"]


def test_ports_are_below_the_ephemeral_range(tmp_path: Path) -> None:
    chosen = ports.choose(tmp_path / "ports.json", {str(index): 1 for index in range(50)})
    assert all(ports.LOWEST <= port < int(ports.RANGE_FILE.read_text().split()[0]) for port in chosen.values())
    assert len(set(chosen.values())) == 50


def test_missing_secrets_are_made_once_and_set_ones_win(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = credentials.complete({"AWS_ACCESS_KEY": "mine"}, file)
    assert made["AWS_ACCESS_KEY"] == "mine"
    assert len(made["SESSION_SECRET_KEY"]) == 64
    again = credentials.complete({}, file)
    assert again["SESSION_SECRET_KEY"] == made["SESSION_SECRET_KEY"]
    assert again["AWS_ACCESS_KEY"] != "mine"
    assert len(set(again.values())) == len(credentials.GENERATED)


def test_the_scenes_can_all_be_played() -> None:
    for language in ("ko", "en"):
        slots, scenes = script(language).slots, script(language).scenes
        for scene in scenes:
            for index, line in enumerate(scene):
                assert line.speaker in "ABCDE", line
                assert set(SLOT.findall(line.body)) <= slots.keys(), line
                assert line.replies_to <= index, line


def test_a_room_has_the_same_conversation_every_time() -> None:
    ids = {person.webchat_id for person in PEOPLE}
    for room in ROOMS:
        lines = conversation(room)
        assert lines == conversation(room)
        assert len(lines) == room.messages
        assert {line.speaker for line in lines} <= set(room.people) <= ids
        assert all(0 < len(line.body) <= 4000 and "{" not in line.body for line in lines)
    assert sum(room.messages for room in ROOMS) > 3000
