"""Reading in parts, again, and by links."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

pytestmark = pytest.mark.parametrize("database_env", ["sqlite"], indirect=True)

DATA = bytes(range(256)) * 1000


@pytest.fixture
async def attachment_id(anna):
    room = await anna.group()
    return (await anna.stored(DATA, "a.bin", room_id=room))["attachment_id"]


async def test_ranges(anna, attachment_id):
    whole = await anna.content(attachment_id)
    assert (whole.status_code, whole.content, whole.headers["accept-ranges"]) == (200, DATA, "bytes")
    etag = whole.headers["etag"]
    for asked, first, last in (("0-9", 0, 9), ("255990-", 255_990, 255_999), ("-5", 255_995, 255_999)):
        part = await anna.content(attachment_id, range=f"bytes={asked}")
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


async def test_bytes_are_not_kept_by_others(anna, attachment_id):
    headers = (await anna.content(attachment_id)).headers
    assert headers["cache-control"] == "private, no-cache"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


class TestLinks:
    @pytest.fixture
    def overrides(self, s3_port):
        return {"s3_public_url": f"http://127.0.0.1:{s3_port}"}

    async def test_a_link_for_a_minute_with_everything_forced(self, anna, attachment_id):
        answer = await anna.content(attachment_id)
        link = answer.headers["location"]
        assert (answer.status_code, answer.headers["cache-control"]) == (302, "private, no-store")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        assert asked["X-Amz-Expires"] == "60"
        async with httpx.AsyncClient(trust_env=False) as client:
            got = await client.get(link)
            assert (got.status_code, got.content) == (200, DATA)
            assert got.headers["content-type"] == "application/octet-stream"
            assert got.headers["content-disposition"].startswith("attachment; ")
            for changed in (link.replace("attachment%3B", "inline%3B"), link.partition("?")[0]):
                assert (await client.get(changed)).status_code == 403

    async def test_not_for_others(self, berta, attachment_id):
        assert (await berta.content(attachment_id)).status_code == 404


class TestCdn:
    @pytest.fixture
    def overrides(self):
        return {"aws_cdn_url": "https://cdn.example.org/"}

    async def test_without_a_key_it_serves_avatars_alone(self, anna, attachment_id, picture, objects):
        assert (await anna.content(attachment_id)).content == DATA
        avatar = await anna.stored(picture(), "me.png")
        link = (await anna.content(avatar["attachment_id"])).headers["location"]
        assert link.removeprefix("https://cdn.example.org/") in await objects()


class TestSignedCdn:
    @pytest.fixture
    def overrides(self):
        key = generate_private_key(65537, 2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        joined = pem.replace("\n", "\\n")
        return {"aws_cdn_url": "https://cdn.example.org", "cdn_key_id": "K1", "cdn_private_key": joined}

    async def test_with_a_key_it_serves_everything(self, anna, attachment_id, picture):
        avatar = await anna.stored(picture(), "me.png")
        for one in (attachment_id, avatar["attachment_id"]):
            link = (await anna.content(one)).headers["location"]
            asked = parse_qs(urlsplit(link).query)
            assert asked["Key-Pair-Id"] == ["K1"]
            assert {"Expires", "Signature", "response-content-disposition", "response-content-type"} <= set(asked)
