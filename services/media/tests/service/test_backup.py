"""The bucket as files in a folder, and back: whole, as handed out before, or refused."""

import json
from pathlib import Path

import pytest

from media.service.backup import bring_back, read_index, save
from shared.testing.fixtures import eventually

from .conftest import with_settings


async def test_all_objects_come_back(anna, deps, objects, picture, tmp_path: Path):
    room = await anna.group()
    made = await anna.stored(picture(), "바다.png", room_id=room)
    assert await save(deps.bucket, tmp_path) == "files: 2 copied, 0 were there"
    later = await anna.stored(b"later", "later.txt", room_id=room)
    assert await save(deps.bucket, tmp_path) == "files: 1 copied, 2 were there"
    before = {one["attachment_id"]: await anna.content(one["attachment_id"]) for one in (made, later)}
    keys = await objects()
    handed_out = {entry.key: await _handed_out(deps, entry.key) for entry in read_index(tmp_path)}

    for key in keys:
        await deps.bucket.delete(key)
    assert await objects() == []
    assert await bring_back(deps.bucket, tmp_path) == "files: 3 brought back"

    assert sorted(await objects()) == sorted(keys)
    assert {key: await _handed_out(deps, key) for key in keys} == handed_out
    for attachment_id, answer in before.items():
        again = await anna.content(attachment_id)
        assert (again.content, again.headers["content-type"]) == (answer.content, answer.headers["content-type"])


async def _handed_out(deps, key):
    served, pieces = await deps.bucket.fetch(key)
    await pieces.aclose()
    return served


async def test_a_damaged_file_is_refused(anna, deps, tmp_path: Path):
    await anna.stored(b"what was said", room_id=await anna.group())
    await save(deps.bucket, tmp_path)
    [entry] = read_index(tmp_path)
    (tmp_path / "objects" / entry.key).write_bytes(b"what was sa1d")
    with pytest.raises(ValueError, match="is not what was saved"):
        await bring_back(deps.bucket, tmp_path)


async def test_a_key_leads_nowhere_else(deps, tmp_path: Path):
    entry = {"key": "../../etc/passwd", "size": 1, "sha256": "", "content_type": "", "disposition": ""}
    (tmp_path / "index.jsonl").write_text(json.dumps(entry) + "\n")
    with pytest.raises(ValueError, match="no key of an object"):
        await bring_back(deps.bucket, tmp_path)


@with_settings(media_sweep_s=0.05)
async def test_the_sweep_makes_the_bucket(settings, deps):
    """Nobody asks a container whether it is ready."""
    await deps.bucket._client.delete_bucket(Bucket=settings.aws_storage_bucket_name)

    async def is_there():
        answer = await deps.bucket._client.list_buckets()
        return settings.aws_storage_bucket_name in {one["Name"] for one in answer["Buckets"]}

    await eventually(is_there, 20)
