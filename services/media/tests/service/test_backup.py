"""Backup and restore of the bucket's objects, with their headers; damaged backups are rejected."""

import json
from pathlib import Path

import pytest

from media.service.backup import read_index, restore, save
from shared.testing.fixtures import eventually

from .conftest import with_settings


async def test_all_objects_are_restored(anna, deps, objects, picture, tmp_path: Path):
    room = await anna.group()
    made = await anna.stored(picture(), "바다.png", room_id=room)
    assert await save(deps.bucket, tmp_path) == "files: 2 copied, 0 existed"
    later = await anna.stored(b"later", "later.txt", room_id=room)
    assert await save(deps.bucket, tmp_path) == "files: 1 copied, 2 existed"
    before = {one["attachment_id"]: await anna.content(one["attachment_id"]) for one in (made, later)}
    keys = await objects()
    headers = {entry.key: await _headers_of(deps, entry.key) for entry in read_index(tmp_path)}

    for key in keys:
        await deps.bucket.delete(key)
    assert await objects() == []
    assert await restore(deps.bucket, tmp_path) == "files: 3 restored"

    assert sorted(await objects()) == sorted(keys)
    assert {key: await _headers_of(deps, key) for key in keys} == headers
    for attachment_id, answer in before.items():
        again = await anna.content(attachment_id)
        assert (again.content, again.headers["content-type"]) == (answer.content, answer.headers["content-type"])


async def _headers_of(deps, key):
    headers, pieces = await deps.bucket.fetch(key)
    await pieces.aclose()
    return headers


async def test_a_damaged_file_is_rejected(anna, deps, tmp_path: Path):
    await anna.stored(b"file content", room_id=await anna.group())
    await save(deps.bucket, tmp_path)
    [entry] = read_index(tmp_path)
    (tmp_path / "objects" / entry.key).write_bytes(b"file c0ntent")
    with pytest.raises(ValueError, match="has changed since it was saved"):
        await restore(deps.bucket, tmp_path)


async def test_a_key_cannot_leave_the_folder(deps, tmp_path: Path):
    entry = {"key": "../../etc/passwd", "size": 1, "sha256": "", "content_type": "", "disposition": ""}
    (tmp_path / "index.jsonl").write_text(json.dumps(entry) + "\n")
    with pytest.raises(ValueError, match="not a key of an object"):
        await restore(deps.bucket, tmp_path)


@with_settings(media_sweep_s=0.05)
async def test_the_sweep_creates_the_bucket(settings, deps):
    """Readiness checks create it too, but a container may have none."""
    await deps.bucket._client.delete_bucket(Bucket=settings.aws_storage_bucket_name)

    async def is_there():
        answer = await deps.bucket._client.list_buckets()
        return settings.aws_storage_bucket_name in {one["Name"] for one in answer["Buckets"]}

    await eventually(is_there, 20)
