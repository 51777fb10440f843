"""Audit lines of accounts and sessions."""

from typing import Any

from shared.ids import new_id

from .conftest import PASSWORD, SECRETS, with_settings

Trail = list[dict[str, Any]]


def audited(trail: Trail) -> list[tuple[str, str, str, str]]:
    names = ("event.action", "event.outcome", "user.id", "event.reason")
    lines = [tuple(str(line.get(name, "")) for name in names) for line in trail]
    trail.clear()
    return lines  # type: ignore[return-value]


async def test_signing_up_in_and_out(sign_up, browser, trail: Trail):
    client, anna = await sign_up("anna")
    user_id, login = anna["user_id"], {"login": anna["webchat_id"], "password": PASSWORD}
    assert (await browser().post("/api/auth/login", json=login)).status_code == 200
    assert (await client.post("/api/auth/logout")).status_code == 204
    assert audited(trail) == [(action, "success", user_id, "") for action in ("sign-up", "sign-in", "sign-out")]


async def test_a_failed_sign_in_has_the_network_but_not_the_input(sign_up, browser, trail: Trail):
    _, anna = await sign_up("anna")
    trail.clear()
    headers = {"X-Real-IP": "203.0.113.77"}
    for login in (anna["webchat_id"], "nobody_here"):
        body = {"login": login, "password": "wrong horse battery"}
        assert (await browser().post("/api/auth/login", json=body, headers=headers)).status_code == 401
    assert trail
    assert {line["source.ip"] for line in trail} == {"203.0.113.0"}
    assert not any(word in str(trail) for word in ("nobody_here", "wrong horse battery"))
    assert audited(trail) == [
        ("sign-in", "failure", anna["user_id"], "wrong password"),
        ("sign-in", "failure", "", "no such account"),
    ]


@with_settings(rate_limits=True)
async def test_too_many_attempts_are_audited(sign_up, browser, trail: Trail):
    _, anna = await sign_up("anna")
    body = {"login": anna["webchat_id"], "password": "wrong horse battery"}
    while (await browser().post("/api/auth/login", json=body)).status_code != 429:
        assert len(trail) < 50
    assert audited(trail)[-1] == ("sign-in", "failure", anna["user_id"], "too many attempts")


async def test_changes_of_passwords_sessions_and_accounts(sign_up, browser, trail: Trail):
    client, anna = await sign_up("anna")
    user_id, login = anna["user_id"], {"login": anna["webchat_id"], "password": PASSWORD}
    for _ in range(2):
        await browser().post("/api/auth/login", json=login)
    trail.clear()
    sessions = (await client.get("/api/auth/sessions")).json()["items"]
    other = next(one["session_id"] for one in sessions if not one["current"])
    assert (await client.delete(f"/api/auth/sessions/{other}")).status_code == 204
    assert (await client.delete(f"/api/auth/sessions/{other}")).status_code == 404
    assert (await client.delete("/api/auth/sessions")).status_code == 204
    assert (await client.delete("/api/auth/sessions")).status_code == 204  # none is left: nothing to audit
    for current, status in (("wrong horse battery", 403), (PASSWORD, 204)):
        change = {"current_password": current, "new_password": "another horse staple"}
        assert (await client.post("/api/auth/password", json=change)).status_code == status
    for password, status in (("wrong horse battery", 403), ("another horse staple", 204)):
        assert (await client.request("DELETE", "/api/auth/me", json={"password": password})).status_code == status
    assert audited(trail) == [
        ("session-revoke", "success", user_id, ""),
        ("session-revoke", "success", user_id, ""),
        ("password-change", "failure", user_id, "wrong password"),
        ("password-change", "success", user_id, ""),
        ("account-close", "failure", user_id, "wrong password"),
        ("account-close", "success", user_id, ""),
    ]


async def test_a_service_with_a_wrong_secret(client, trail: Trail):
    for service, secret in (("rooms", new_id()), ("nobody", SECRETS["rooms_service_secret"])):
        body = {"service": service, "secret": secret, "audience": "auth"}
        assert (await client.post("/internal/token", json=body)).status_code == 401
    assert [reason for *_, reason in audited(trail)] == ["wrong secret", "no such service"]


async def test_a_page_of_another_origin_is_audited_without_its_name(sign_up, trail: Trail):
    client, _ = await sign_up("anna")
    trail.clear()
    headers = {"Origin": "https://evil.example", "X-Real-IP": "203.0.113.77"}
    for path in ("/api/auth/me", "/check?audience=rooms"):
        assert (await client.get(path, headers=headers)).status_code == 403
    assert [line.get("source.ip", "") for line in trail] == ["203.0.113.0", ""]
    assert "evil.example" not in str(trail)
    assert audited(trail) == [("origin-refuse", "failure", "", "")] * 2
