"""Invalid input gets an error that names the field, never a 500, and never repeats the input."""

import pytest

GOOD = {
    "email": "a@example.com",
    "password": "correct horse battery",
    "webchat_id": "anna.anna",
    "display_name": "Anna",
}

BAD = {
    "email": [
        None, 1, True, [], {}, "", "a", "a@b", "@example.com", "a@", "a@@example.com", "a b@example.com",
        "a@exa mple.com", "a@-example.com", "a@example..com", ".a@example.com", "a..b@example.com", "a\x00@example.com",
        "a@example.com\nBcc: b", "<a@example.com>", "a" * 65 + "@example.com", "a@" + "b" * 250 + ".com",
        "a@" + ".".join(["ﷺ" * 20] * 10) + ".com", "\u202ea@example.com",
    ],
    "password": [
        None, 12345678, [], "", "short", "password", "PASSWORD1", "12345678", "aaaaaaaaaaaa", "anna.anna",
        "a@example.com", "A@Example.Com", "p" * 201, "ä" * 101, "nul\x00nul\x00nul", "x" * 5000,
    ],
    "webchat_id": [
        None, 1, "", "ab", "a" * 21, "a b", "anna!", "ännä", "anna\n", "\u212aelvin", "anna\x00", "a/../b",
    ],
    "display_name": [
        None, 1, "", "   ", "a" * 61, "a\nb", "a\x00b", "\u202eanna", "\u200d\u200d", "\u200b", "a" * 5000,
    ],
}  # fmt: skip


@pytest.mark.parametrize("field", BAD)
async def test_an_invalid_field_is_named(client, field):
    for value in BAD[field]:
        answer = await client.post("/api/auth/signup", json=GOOD | {field: value})
        assert answer.status_code == 422, value
        problem = answer.json()
        assert [error["field"] for error in problem["errors"]] == [field], value
        assert problem["type"] == "urn:webchat:problem:invalid"
        assert len(str(value)) <= 9 or str(value) not in answer.text


async def test_the_longest_values_are_accepted(client, tag):
    """Every field may be as long as its limit."""
    label = "b" * 61
    local = (tag * 16)[:64]
    longest = {
        "email": f"{local}@{label}.{label}.{label}.com",
        "password": "äö" * 50,
        "webchat_id": tag * 5,
        "display_name": "👩‍🚀" * 20,
    }
    answer = await client.post("/api/auth/signup", json=longest)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"user_id": answer.json()["user_id"]} | {
        name: value for name, value in longest.items() if name != "password"
    }
    right = {"login": longest["email"], "password": "a\u0308ö" * 50}
    assert (await client.post("/api/auth/login", json=right)).status_code == 200


async def test_a_missing_field_is_named(client):
    for field in GOOD:
        body = {name: value for name, value in GOOD.items() if name != field}
        answer = await client.post("/api/auth/signup", json=body)
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


RAW = [
    b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff\xfe", b"\x00", b'{"login": "\xff"}',
    b'{"login": 1e999, "password": 1}', b'{"login": ' + b"9" * 5000 + b', "password": "x"}', b"[" * 10_000,
    b'{"a":' * 2_000, b'{"login": "\\ud800", "password": "\\udfff"}', b'{"login": "a\\u0000b", "password": "x"}',
    b'{"login": NaN}',
]  # fmt: skip


@pytest.mark.parametrize("path", ["login", "signup", "password"])
async def test_malformed_bodies(sign_up, path):
    client, _ = await sign_up("berta")
    for raw in RAW:
        answer = await client.post(f"/api/auth/{path}", content=raw, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, raw[:40]
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_too_large_body(client):
    answer = await client.post("/api/auth/login", json={"login": "a", "password": "x" * 20_000})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"

    async def unannounced():
        for _ in range(20):
            yield b"x" * 1000

    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/auth/login", content=unannounced(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_other_content_types_are_rejected(client):
    """A form of another page can send only these types, so it is rejected whatever its Origin."""
    raw = b'{"login": "anna", "password": "correct horse battery"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await client.post("/api/auth/login", content=raw, headers={"Content-Type": kind})
        assert answer.status_code == 422, kind


async def test_invalid_cursors_and_limits(sign_up):
    client, _ = await sign_up("anna")
    cursors = ["x", "%00", "IngiCg", "a" * 600, "W10", "%F0%9F%98%80", "MQ", "IlxcdWQ4MDAi"]
    limits = ["0", "101", "x", "9" * 5000, ""]
    for query in [f"cursor={one}" for one in cursors] + [f"limit={one}" for one in limits]:
        assert (await client.get(f"/api/auth/sessions?{query}")).status_code == 422, query


async def test_invalid_addresses_and_user_agents(sign_up, client):
    _, anna = await sign_up("anna")
    login = {"login": anna["webchat_id"], "password": GOOD["password"]}
    for address, shown in (("x" * 500, "127.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("\xff", "127.0.0.1")):
        headers = {"X-Real-IP": address.encode("latin-1"), "User-Agent": b"\xff" * 500}
        assert (await client.post("/api/auth/login", json=login, headers=headers)).status_code == 200
        [newest, *_] = (await client.get("/api/auth/sessions")).json()["items"]
        assert (newest["address"], len(newest["user_agent"])) == (shown, 200)


async def test_unknown_paths_and_methods(client):
    for path in ("/api/auth/nothing", "/api/auth", "/internal/nothing"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.put("/api/auth/login")).status_code == 405
