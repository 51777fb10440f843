"""Invalid input gets an error that names the field, never a 500."""

from shared.ids import new_id
from shared.web.cursors import cursor_of

BAD = {
    "display_name": [None, 1, "", "   ", "a" * 61, "a\nb", "a\x00b", "\u202eanna", "\u200d", "a" * 5000],
    "status_message": [None, 1, [], "a" * 201, "a\x00", "a\nb", "a\u2028b"],
    "avatar_attachment_id": [1, "", "x", new_id().upper(), new_id() + "\n", f"{new_id()}/../x"],
}


async def test_an_invalid_field_is_named(sign_up):
    anna = await sign_up("anna")
    for field, values in BAD.items():
        for value in values:
            answer = await anna.http.patch("/profiles/me", json={field: value})
            assert answer.status_code == 422, value
            assert [error["field"] for error in answer.json()["errors"]] == [field], value
    assert (await anna.http.get("/profiles/me")).json()["display_name"] == "Anna"


async def test_malformed_bodies(sign_up):
    anna = await sign_up("anna")
    bodies = [b"", b"{", b"[]", b"null", b"\xff", b'{"display_name": "\\ud800"}', b"[" * 10_000, b"9" * 5000]
    for raw in [*bodies, b'{"status_message": ' + b"9" * 5000 + b"}"]:
        answer = await anna.http.patch("/profiles/me", content=raw, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, raw[:40]
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await anna.http.patch("/profiles/me", json={"status_message": "x" * 20_000})).status_code == 413


async def test_invalid_queries(sign_up):
    anna = await sign_up("anna")
    cursors = ["x", "%00", "W10", "WzEsMl0", "WzEsImEiXQ", "a" * 600, "%F0%9F%98%80", "WzFlOTk5LCJhIl0"]
    for path in ("/following", "/followers", "/blocks"):
        for query in [f"cursor={one}" for one in cursors] + ["limit=0", "limit=101", "limit=x", "limit=" + "9" * 5000]:
            assert (await anna.http.get(f"{path}?{query}")).status_code == 422, query
    for query in ("", "?webchat_id=", "?webchat_id=a", "?webchat_id=" + "a" * 65, "?webchat_id=anna&cursor=MQ"):
        assert (await anna.http.get(f"/profiles/search{query}")).status_code == 422, query
    for typed in ("%00%00", "%ff%ff", "a\u0301a\u0301", "a" * 64, "%25%25", "__"):
        assert (await anna.http.get(f"/profiles/search?webchat_id={typed}")).json() == {"items": [], "next": None}
    for ids in ("x", new_id()[:-1], f"{new_id()},x", "%00", "x" * 9000):
        assert (await anna.http.get(f"/profiles?user_ids={ids}")).status_code == 422, ids
    assert (await anna.http.get("/profiles")).status_code == 422


async def test_huge_numbers_in_a_cursor(sign_up):
    anna = await sign_up("anna")
    for since, status in ((2**63 - 1, 200), (0, 200), (2**63, 422), (10**400, 422), (-1, 422), (1.5, 422)):
        cursor = cursor_of([since, new_id()])
        answer = await anna.http.get(f"/following?cursor={cursor}")
        assert answer.status_code == status, since
        assert status != 200 or answer.json() == {"items": [], "next": None}
