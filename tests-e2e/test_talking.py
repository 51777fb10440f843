"""Stories 1, 2 and 5: users find each other, write in direct rooms and groups, and see read states."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from people import Person, Rejected
from waiting import eventually

SomeOne = Callable[[str], Awaitable[Person]]


async def test_two_people_find_each_other_and_talk(someone: SomeOne):
    minji, junho = await someone("minji"), await someone("junho")

    async def found() -> bool:
        query = {"webchat_id": junho.user["webchat_id"][:7]}
        page = await minji.call("GET", "/social/profiles/search", params=query)
        return junho.id in [profile["user_id"] for profile in page["items"]]

    await eventually(found)
    await minji.follow(junho)
    following = await minji.call("GET", "/social/following")
    assert [(p["user_id"], p["followed"]) for p in following["items"]] == [(junho.id, True)]
    rooms = await asyncio.gather(*(a.direct(b) for a, b in [(minji, junho), (junho, minji)] * 4))
    assert len(set(rooms)) == 1
    room_id = rooms[0]

    a, b = await minji.open(), await junho.open()
    assert [friend["user_id"] for friend in a.ready["friends"]] == [junho.id]
    [summary] = a.ready["rooms"]
    assert (summary["room_id"], summary["kind"], summary["peer_id"]) == (room_id, "direct", junho.id)
    reply = await a.send(room_id, "안녕, 준호!")
    assert (reply["seq"], reply["duplicate"]) == (1, False)
    for socket in (a, b):
        event = await socket.event("message.created", room_id=room_id, seq=1)
        assert (event["body"], event["sender_id"], event["version"]) == ("안녕, 준호!", minji.id, reply["version"])
    await b.send(room_id, "hi!")
    await a.event("message.created", body="hi!")


async def test_members_on_different_gateways(someone: SomeOne):
    """With four sockets each they use both gateways. Every socket gets all events in the same order."""
    minji, junho = await someone("minji"), await someone("junho")
    room_id = await minji.direct(junho)
    sockets = [await person.open() for person in (minji, junho) * 4]
    await asyncio.gather(*(socket.send(room_id, f"{n}") for n, socket in enumerate(sockets)))
    for socket in sockets:
        await socket.until(lambda s: len(s.events(room_id)) >= 8)
    orders = {tuple((e["version"], e["body"]) for e in socket.events(room_id)) for socket in sockets}
    assert len(orders) == 1
    assert sorted(body for _, body in orders.pop()) == [str(n) for n in range(8)]


async def test_a_room_opened_later_reaches_open_sockets(someone: SomeOne):
    minji, junho = await someone("minji"), await someone("junho")
    b = await junho.open()
    room_id = await minji.direct(junho)
    added = await b.event("room.added")
    assert added["room"]["room_id"] == room_id
    await minji.call(
        "POST", f"/rooms/{room_id}/messages", status=201,
        json={"client_id": "0190c0de-0000-4000-8000-000000000001", "body": "by HTTP"},
    )  # fmt: skip
    event = await b.event("message.created", body="by HTTP")
    assert event["version"] > added["room"]["version"]


async def test_a_group_of_five(someone: SomeOne):
    people = [await someone(name) for name in ("ana", "ben", "cho", "dae", "eun")]
    ana, ben, cho, dae, eun = people
    room_id = await ana.group("Lunch", ben, cho)
    sockets = {person: await person.open() for person in people}
    invited = await sockets[ana].ask("room.invite", room_id=room_id, user_ids=[dae.id, ben.id])
    await sockets[dae].event("room.added")
    for person in (ana, ben, cho):
        joined = await sockets[person].event("member.joined", user_id=dae.id)
        assert (joined["version"], joined["by"], joined["role"]) == (invited["version"], ana.id, "member")
    sent = await sockets[ben].send(room_id, "Bibimbap?", mentions=[cho.id])
    assert (await sockets[cho].event("message.created", seq=sent["seq"]))["mentions"] == [cho.id]
    await sockets[cho].ask("message.react", room_id=room_id, seq=sent["seq"], emoji="👍")
    reacted = await sockets[dae].event("message.reacted", seq=sent["seq"])
    assert (reacted["user_id"], reacted["emoji"], reacted["removed"]) == (cho.id, "👍", False)
    again = await sockets[cho].ask("message.react", room_id=room_id, seq=sent["seq"], emoji="👍")
    assert again["version"] >= reacted["version"]
    reply = await sockets[dae].send(room_id, "Yes", reply_to=sent["seq"])
    assert (await sockets[ana].event("message.created", seq=reply["seq"]))["reply_to"] == sent["seq"]
    await sockets[eun].ask("ping")
    assert sockets[eun].events(room_id) == []


async def test_a_former_member_gets_nothing_and_sees_later_messages_after_rejoining(someone: SomeOne):
    ana, ben, cho = [await someone(name) for name in ("ana", "ben", "cho")]
    room_id = await ana.group("Team", ben, cho)
    a, c = await ana.open(), await cho.open()
    await a.send(room_id, "before")
    await c.event("message.created", body="before")
    left = await c.ask("room.leave", room_id=room_id)
    await c.event("room.removed", room_id=room_id)
    last = c.events(room_id)[-1]
    assert (last["op"], last["user_id"], last["version"]) == ("member.left", cho.id, left["version"])
    assert (await c.ask("room.leave", room_id=room_id))["version"] >= left["version"]
    await a.send(room_id, "while away")
    for op, fields in [
        ("message.send", {"client_id": "0190c0de-0000-4000-8000-000000000002", "body": "x"}),
        ("message.list", {}),
        ("room.enter", {}),
        ("room.read", {"seq": 1}),
    ]:
        with pytest.raises(Rejected) as rejected:
            await c.ask(op, room_id=room_id, **fields)
        assert rejected.value.code in {"not_found", "forbidden"}
    await a.ask("room.invite", room_id=room_id, user_ids=[cho.id])
    added = (await c.until(lambda s: s.of("room.added")))[-1]
    assert (added["room"]["unread"], added["room"].get("last_message")) == (0, None)
    await a.send(room_id, "after")
    await c.event("message.created", body="after")
    assert "while away" not in {event.get("body") for event in c.events(room_id)}
    assert [m["body"] for m in (await c.ask("message.list", room_id=room_id))["messages"]] == ["after"]
    assert [m["body"] for m in (await cho.messages(room_id))["items"]] == ["after"]


async def test_a_direct_room_left_is_hidden_until_the_next_message(someone: SomeOne):
    minji, junho = await someone("minji"), await someone("junho")
    room_id = await minji.direct(junho)
    a, b = await minji.open(), await junho.open()
    await a.send(room_id, "one")
    await b.ask("room.leave", room_id=room_id)
    await b.event("room.removed", room_id=room_id)
    assert (await junho.call("GET", "/rooms"))["items"] == []
    await a.send(room_id, "two")
    await b.until(lambda s: s.of("room.added"))
    await a.send(room_id, "three")
    await b.event("message.created", body="three")
    assert [m["body"] for m in (await b.ask("message.list", room_id=room_id))["messages"]] == ["one", "two", "three"]


async def test_roles_and_rights(someone: SomeOne):
    owner, admin, member, other = [await someone(name) for name in ("owner", "admin", "member", "other")]
    room_id = await owner.group("Club", admin, member, other)
    o, m = await owner.open(), await member.open()
    await owner.call("PATCH", f"/rooms/{room_id}/members/{admin.id}", json={"role": "admin"}, status=204)
    assert (await m.event("member.role_changed"))["role"] == "admin"
    await member.call("PATCH", f"/rooms/{room_id}", json={"title": "mine"}, status=403)
    await admin.call("PATCH", f"/rooms/{room_id}", json={"title": "Ours"})
    assert (await m.event("room.updated"))["title"] == "Ours"
    await admin.call("DELETE", f"/rooms/{room_id}/members/{owner.id}", status=403)
    await admin.call("DELETE", f"/rooms/{room_id}/members/{other.id}", status=204)
    assert (await m.event("member.left"))["by"] == admin.id
    await other.call("GET", f"/rooms/{room_id}", status=404)
    sent = await m.send(room_id, "rude")
    await o.ask("message.delete", room_id=room_id, seq=sent["seq"])
    await m.event("message.deleted", seq=sent["seq"])
    await o.ask("room.leave", room_id=room_id)
    detail = await admin.call("GET", f"/rooms/{room_id}")
    assert {(x["user_id"], x["role"]) for x in detail["members"]} == {(admin.id, "owner"), (member.id, "member")}


async def test_muting_is_personal_and_reaches_other_devices(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.group("Quiet", ben)
    first, second, bens = await ana.open(), await ana.open(), await ben.open()
    await ana.call("PATCH", f"/rooms/{room_id}", json={"muted": True})
    for socket in (first, second):
        assert (await socket.event("room.muted"))["muted"] is True
    await bens.ask("ping")
    assert bens.of("room.muted") == []


async def test_read_cursors_over_two_devices_and_the_unread_number_of_each_message(someone: SomeOne):
    people = [await someone(name) for name in ("ana", "ben", "cho", "dae")]
    ana, ben, cho, dae = people
    room_id = await ana.group("Counts", ben, cho, dae)
    a, b1, c = await ana.open(), await ben.open(), await cho.open()
    b2 = await (await ben.log_in_again()).open()
    seqs = [(await a.send(room_id, f"{n}"))["seq"] for n in range(6)]

    async def unread(person: Person) -> int:
        rooms = (await person.call("GET", "/rooms"))["items"]
        return next(room["unread"] for room in rooms if room["room_id"] == room_id)

    assert [await unread(p) for p in people] == [0, 6, 6, 6]
    assert (await b1.ask("room.read", room_id=room_id, seq=seqs[3]))["read_seq"] == seqs[3]
    assert await unread(ben) == 2
    assert (await b1.ask("room.read", room_id=room_id, seq=seqs[1]))["read_seq"] == seqs[3]
    for socket in (a, b2, c):
        await socket.until(lambda s: any(f["cursors"].get(ben.id) == seqs[3] for f in s.of("room.read")))
    assert (await c.ask("room.read", room_id=room_id, seq=2**53 - 1))["read_seq"] == seqs[-1]
    await b2.send(room_id, "me too")
    assert [await unread(p) for p in people] == [1, 0, 1, 7]

    entered = await b1.ask("room.enter", room_id=room_id, mark_read=False)
    cursors = {member["user_id"]: member["read_seq"] for member in entered["room"]["members"]}
    by_hand = {person.id: (await person.call("GET", f"/rooms/{room_id}"))["read_seq"] for person in people}
    assert cursors == by_hand
    numbers = [sum(read < message["seq"] for read in cursors.values()) for message in entered["messages"]]
    assert numbers == [1, 1, 1, 1, 1, 1, 3]
    entered = await a.ask("room.enter", room_id=room_id)
    assert (entered["room"]["unread"], await unread(ana)) == (0, 0)


async def test_typing_reaches_the_others_only(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    room_id = await ana.direct(ben)
    a1, a2, b = await ana.open(), await ana.open(), await ben.open()
    await a1.send_frame("room.typing", room_id=room_id, typing=True)
    assert (await b.event("room.typing"))["user_id"] == ana.id
    await asyncio.gather(a1.ask("ping"), a2.ask("ping"))
    assert a1.of("room.typing") == a2.of("room.typing") == []


async def test_presence_is_seen_by_friends_and_not_by_strangers_or_blocked(someone: SomeOne):
    ana, ben, stranger = await someone("ana"), await someone("ben"), await someone("stranger")
    await ana.follow(ben)
    await ana.group("Still together", ben)  # a block ends the following, and not that
    a, s = await ana.open(), await stranger.open()
    assert (await a.ask("presence.watch", user_ids=[ben.id]))["presence"] == {ben.id: "offline"}
    b = await ben.open()
    await a.event("presence", user_id=ben.id, status="online")
    assert (await s.ask("presence.watch", user_ids=[ben.id]))["presence"] == {ben.id: "offline"}
    await ben.call("PUT", f"/social/blocks/{ana.id}", status=204)
    await a.event("presence", user_id=ben.id, status="offline")
    assert (await a.ask("presence.watch", user_ids=[ben.id]))["presence"] == {ben.id: "offline"}
    await b.close()


async def test_friends_and_profiles_change_on_open_sockets(someone: SomeOne):
    ana, ben = await someone("ana"), await someone("ben")
    a = await ana.open()
    await ana.follow(ben)
    assert (await a.event("friend.added"))["profile"]["user_id"] == ben.id
    await ben.call("PATCH", "/social/profiles/me", json={"display_name": "벤", "status_message": "점심"})
    updated = (await a.event("profile.updated"))["profile"]
    assert (updated["display_name"], updated["status_message"]) == ("벤", "점심")
    await ana.call("DELETE", f"/social/following/{ben.id}", status=204)
    assert (await a.event("friend.removed"))["user_id"] == ben.id


async def test_a_blocked_person_cannot_send_react_type_or_open_a_direct_room(someone: SomeOne):
    ana, ben, cho = await someone("ana"), await someone("ben"), await someone("cho")
    room_id = await ana.direct(ben)
    group_id = await ana.group("Both", ben)
    a, b = await ana.open(), await ben.open()
    await a.send(room_id, "hi")
    await ana.call("PUT", f"/social/blocks/{ben.id}", status=204)

    async def is_rejected() -> bool:
        return await b.rejection(room_id, "hello?") == "forbidden"

    await eventually(is_rejected)
    with pytest.raises(Rejected, match="forbidden"):
        await b.ask("message.react", room_id=room_id, seq=1, emoji="👍")

    async def is_silent() -> bool:
        """Type in the direct room, then in the group, until only the second arrives."""
        typed = len(a.of("room.typing"))
        for one in (room_id, group_id):
            await b.send_frame("room.typing", room_id=one, typing=True)
        await a.until(lambda socket: any(one["room_id"] == group_id for one in socket.of("room.typing")[typed:]))
        return all(one["room_id"] == group_id for one in a.of("room.typing")[typed:])

    await eventually(is_silent)
    assert {frame["op"] for frame in a.events(room_id)} == {"message.created"}  # some before the block arrived
    await ana.call("PUT", f"/social/blocks/{cho.id}", status=204)

    async def closed() -> bool:
        response = await cho.http.post("/api/rooms", json={"kind": "direct", "user_id": ana.id})
        return response.status_code == 403

    await eventually(closed)
