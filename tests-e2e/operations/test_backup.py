"""Backup during traffic, loss of all volumes, and restore."""

import asyncio
import io
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from checker import stored
from containers import CHECKOUT, Containers
from people import Frame, Person, signing_up
from PIL import Image
from traffic import Scene

from shared.testing.fixtures import eventually

DOCUMENT = b"%PDF-1.4\n" + os.urandom(9_000_000)
"""Large enough for a multipart upload to S3."""


def make(stack: Containers, *words: str) -> str:
    """Run `make` as the operator of this project, and return the last line that it prints."""
    environment = os.environ | stack.as_variables()
    began = time.monotonic()
    done = subprocess.run(
        ["make", "--silent", *words], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"make {words[0]}: {time.monotonic() - began:.1f} s")
    return done.stdout.strip().splitlines()[-1]


class Life:
    """The content of a room with ana and ben: messages of every kind, and files."""

    def __init__(self, ana: Person, ben: Person) -> None:
        self.ana, self.ben = ana, ben
        self.room_id = ""
        self.files: dict[str, bytes] = {}

    async def live(self) -> None:
        self.room_id = await self.ana.group("Family", self.ben)
        await self.ana.follow(self.ben)
        a, b = await self.ana.open(), await self.ben.open()
        sent = [(await a.send(self.room_id, f"number {n}"))["seq"] for n in range(5)]
        await a.ask("message.edit", room_id=self.room_id, seq=sent[1], body="edited 🐚")
        await b.ask("message.react", room_id=self.room_id, seq=sent[2], emoji="👍")
        await a.ask("message.delete", room_id=self.room_id, seq=sent[3])
        await b.send(self.room_id, "an answer", reply_to=sent[0])
        picture = io.BytesIO()
        Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(picture, "PNG")
        for name, data in (("바다.png", picture.getvalue()), ("일정.pdf", DOCUMENT)):
            form: dict[str, Any] = {"data": {"room_id": self.room_id}, "files": {"file": (name, data)}}
            made = await self.ana.call("POST", "/media/attachments", status=201, **form)
            await a.send(self.room_id, "", attachment_ids=[made["attachment_id"]])
            for url in filter(None, (made["url"], made.get("thumbnail_url"))):
                self.files[url] = await self.file(url)
        assert len(self.files) == 3

    async def file(self, url: str) -> bytes:
        answer = await self.ben.http.get(url)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def seen(self) -> Frame:
        """Return everything that the two can load."""
        return {
            "me": await self.ana.call("GET", "/auth/me"),
            "following": await self.ana.call("GET", "/social/following"),
            "messages": await stored(self.ben, self.room_id),
            "room": await self.ben.call("GET", f"/rooms/{self.room_id}"),
        }


async def test_a_backup_restores_everything(own_stack: Containers, tmp_path: Path):
    async with signing_up(own_stack.url) as person:
        ana, ben, cho, dan = [await person(name) for name in ("ana", "ben", "cho", "dan")]
        life = Life(ana, ben)
        await life.live()
        before = await life.seen()
        scene = Scene(cho, dan, await cho.direct(dan))
        old = (await cho.open()).ready
        acked, folder = await back_up_while_they_write(own_stack, scene, tmp_path)

        await asyncio.to_thread(own_stack.compose, "down", "--volumes", "--timeout", "20")
        await asyncio.to_thread(make, own_stack, "restore", f"FROM={folder}")

        assert await life.seen() == before
        for path, data in life.files.items():
            assert await life.file(path) == data
        await ana.log_in_again()
        await check_what_was_written(cho, scene, acked)
        await check_old_cursors(cho, dan, scene.room_id, old)
        await check_domain_events(ana, await person("eve"))


async def back_up_while_they_write(stack: Containers, scene: Scene, target: Path) -> tuple[dict[str, int], str]:
    """Make a backup. Returns the messages acknowledged before it started, and its folder."""
    await scene.more_acked()
    acked = scene.acked
    folder = await asyncio.to_thread(make, stack, "backup", f"BACKUPS={target}")
    assert len(scene.acked) > len(acked), "users keep writing during the backup"
    await scene.more_acked()
    await scene.finish()
    await scene.rest()
    return acked, folder


async def check_what_was_written(cho: Person, scene: Scene, acked: dict[str, int]) -> None:
    """Check that the history has no gaps and at least all messages acknowledged before the backup started."""
    messages = await stored(cho, scene.room_id)
    seqs = {message["client_id"]: message["seq"] for message in messages}
    assert acked.items() <= seqs.items() < scene.acked.items()
    assert sorted(seqs.values()) == list(range(1, len(seqs) + 1))
    print(f"{len(acked)} messages before the backup, {len(seqs)} in it, {len(scene.acked)} in total")


async def check_old_cursors(cho: Person, dan: Person, room_id: str, old: Frame) -> None:
    """Check that clients with cursors of the lost history are reset, and then work normally."""
    cursor = next(room["version"] for room in old["rooms"] if room["room_id"] == room_id) + 10_000
    back = await cho.open(cursors={room_id: cursor}, epoch=old["epoch"])
    assert back.ready["epoch"] != old["epoch"]
    await back.event("room.reset", room_id=room_id)
    reader = await dan.open()
    sent = await back.send(room_id, "on we go")
    event = await reader.event("message.created", body="on we go")
    assert event["seq"] == sent["seq"]


async def check_domain_events(ana: Person, newcomer: Person) -> None:
    """Check that domain events pass between services: rooms learns about a block from social."""
    await newcomer.call("PUT", f"/social/blocks/{ana.id}", status=204)

    async def is_rejected() -> bool:
        body = {"kind": "direct", "user_id": newcomer.id}
        return (await ana.http.post("/api/rooms", json=body)).status_code == 403

    await eventually(is_rejected, 30)
