"""Downloads: ranges, revalidation, links."""

import base64
import json
import time
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.testing.once import function_fixture, plain_client

from .conftest import Person, with_settings

DATA = bytes(range(256)) * 1000


@function_fixture()
async def attachment_id(anna: Person) -> str:
    room = await anna.group()
    return str((await anna.stored(DATA, "a.bin", room_id=room))["attachment_id"])


async def test_ranges(anna, attachment_id):
    whole = await anna.content(attachment_id)
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, DATA, "bytes")
    etag = whole.headers["etag"]
    for query, first, last in (("0-9", 0, 9), ("255990-", 255_990, 255_999), ("-5", 255_995, 255_999)):
        part = await anna.content(attachment_id, range=f"bytes={query}")
        assert (part.status_code, part.content) == (206, DATA[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/256000"
        assert part.headers["content-length"] == str(last - first + 1)
    beyond = await anna.content(attachment_id, range="bytes=256000-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */256000")
    assert beyond.headers["content-type"] == "application/problem+json"
    assert (await anna.content(attachment_id, **{"range": "bytes=0-9", "if-range": etag})).status_code == 206
    assert (await anna.content(attachment_id, **{"range": "bytes=0-9", "if-range": '"x"'})).content == DATA
    again = await anna.content(attachment_id, **{"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


async def test_shared_caches_may_not_store_the_bytes(anna, attachment_id):
    headers = (await anna.content(attachment_id)).headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


direct = with_settings(s3_public_url=lambda port: f"http://127.0.0.1:{port}")


@direct
async def test_a_link_is_valid_for_a_minute_with_fixed_headers(anna, attachment_id):
    answer = await anna.content(attachment_id)
    link = answer.headers["location"]
    assert (answer.status_code, answer.headers["cache-control"]) == (302, "private, no-store")
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert query["X-Amz-Expires"] == "60"
    async with plain_client("") as client:
        got = await client.get(link)
        assert (got.status_code, got.content) == (200, DATA)
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["content-disposition"].startswith("attachment; ")
        for changed in (link.replace("attachment%3B", "inline%3B"), link.partition("?")[0]):
            assert changed != link
            assert (await client.get(changed)).status_code == 403


@direct
async def test_no_link_for_users_outside_the_room(berta, attachment_id):
    assert (await berta.content(attachment_id)).status_code == 404


@with_settings(aws_cdn_url="https://cdn.example.org/")
async def test_a_cdn_without_a_key_serves_only_avatars(anna, attachment_id, picture, objects):
    assert (await anna.content(attachment_id)).content == DATA
    avatar = await anna.stored(picture(), "me.png")
    link = (await anna.content(avatar["attachment_id"])).headers["location"]
    assert link.removeprefix("https://cdn.example.org/") in await objects()


KEY = generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@with_settings(aws_cdn_url="https://cdn.example.org", cdn_key_id="K1", cdn_private_key=PEM.replace("\n", "\\n"))
async def test_a_cdn_with_a_key_serves_everything(anna, attachment_id, picture):
    avatar = await anna.stored(picture(), "me.png")
    for one in (attachment_id, avatar["attachment_id"]):
        link = (await anna.content(one)).headers["location"]
        query = parse_qs(urlsplit(link).query)
        assert query["Key-Pair-Id"] == ["K1"]
        assert {"response-content-disposition", "response-content-type"} <= set(query)
        check_signature(link, int(query["Expires"][0]), query["Signature"][0])


def check_signature(link, expires, signature):
    """Check a link like CloudFront: against its "canned policy", signed with SHA-1."""
    condition = {"DateLessThan": {"AWS:EpochTime": expires}}
    policy = {"Statement": [{"Resource": link.partition("&Expires=")[0], "Condition": condition}]}
    signed = base64.b64decode(signature.translate(str.maketrans("-_~", "+=/")))
    message = json.dumps(policy, separators=(",", ":")).encode()
    KEY.public_key().verify(signed, message, PKCS1v15(), SHA1())
    assert 0 < expires - time.time() <= 60
