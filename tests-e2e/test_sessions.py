"""Story 8: a revoked session ends everywhere at once; other sessions continue."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from people import Person
from websockets.exceptions import InvalidStatus

SomeOne = Callable[[str], Awaitable[Person]]


async def session_id(person: Person) -> str:
    page = await person.call("GET", "/auth/sessions")
    return next(item["session_id"] for item in page["items"] if item["current"])


async def test_a_revoked_session_loses_its_sockets_and_requests(someone: SomeOne):
    ana = await someone("ana")
    phone = await ana.log_in_again()
    here, there, there_too = await ana.open(), await phone.open(), await phone.open()
    await ana.call("DELETE", f"/auth/sessions/{await session_id(phone)}", status=204)
    assert [await socket.closed() for socket in (there, there_too)] == [4401, 4401]
    for socket in (there, there_too):  # before the check of all sessions, twice a minute
        assert [frame["op"] for frame in socket.received][-1] == "session.revoked"
    for path in ("/auth/me", "/rooms", "/social/following", "/auth/sessions"):
        await phone.call("GET", path, status=401)
    with pytest.raises(InvalidStatus) as rejected:
        await phone.open()
    assert rejected.value.response.status_code == 401
    await here.ask("ping")
    await ana.call("GET", "/rooms")


async def test_a_session_revoked_between_upgrade_and_hello_gets_no_ready(someone: SomeOne):
    ana = await someone("ana")
    phone = await ana.log_in_again()
    socket = await phone.open(hello=False)
    await ana.call("DELETE", f"/auth/sessions/{await session_id(phone)}", status=204)
    await socket.send_frame("hello")
    assert await socket.closed() == 4401
    assert socket.of("ready") == []


async def test_log_out_and_a_new_password_end_sockets(someone: SomeOne):
    ana = await someone("ana")
    phone = await ana.log_in_again()
    here, there = await ana.open(), await phone.open()
    change = {"current_password": ana.password, "new_password": "another battery staple"}
    await ana.call("POST", "/auth/password", json=change, status=204)
    assert await there.closed() == 4401
    await phone.call("GET", "/auth/me", status=401)
    await here.ask("ping")
    await ana.call("POST", "/auth/logout", status=204)
    assert await here.closed() == 4401
    await ana.call("GET", "/auth/me", status=401)


async def test_a_closed_account_is_gone_and_its_rooms_continue(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("Farewell", ben)
    a, b = await ana.open(), await ben.open()
    await a.send(room_id, "bye")
    await ana.call("DELETE", "/auth/me", json={"password": "wrong password"}, status=403)
    await ana.call("DELETE", "/auth/me", json={"password": ana.password}, status=204)
    assert await a.closed() == 4401
    await b.event("member.left", user_id=ana.id)
    await b.event("member.role_changed", user_id=ben.id, role="owner")
    await ana.call("POST", "/auth/login", json={"login": ana.user["webchat_id"], "password": ana.password}, status=401)
    await ben.call("POST", "/rooms", json={"kind": "direct", "user_id": ana.id}, status=404)


async def test_the_twenty_first_socket_closes_the_oldest(someone: SomeOne):
    ana = await someone("ana")
    sockets = [await ana.open() for _ in range(21)]
    assert await sockets[0].closed() == 4409
    await asyncio.gather(*(socket.ask("ping") for socket in sockets[1:]))
