"""Who is in a room: inviting, leaving, removing, roles, and direct rooms."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from rooms.consumers import on_auth, on_social
from rooms.service import creation, homes
from shared.contracts.rooms import Accepted, Rejected
from shared.errors import DomainError
from shared.events.auth import UserClosed
from shared.events.rooms import MemberJoined, MemberLeft, MemberRoleChanged
from shared.events.social import UserBlocked, UserUnblocked
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

A, B, C, D = (new_id() for _ in range(4))


async def block(house: Any, user: str, other: str, version: int = 1) -> None:
    await on_social(house.deps, UserBlocked(user_id=user, blocked_id=other, version=version))


async def rooms_of(house: Any, user: str) -> dict[str, Any]:
    home = (await homes.list_homes(house.deps, {user: None})).users[user]
    return {one.room.room_id: one for one in home.rooms}


async def revision(house: Any, user: str) -> int:
    return (await homes.list_revisions(house.deps, [user])).revisions[user]


@on_each_database
async def test_a_group_begins_with_its_members(house: Any) -> None:
    room = await house.group(A, B, A, C, B)
    joined = [(event.user_id, event.role, event.by, event.read_seq) for event in await house.events(room)]
    assert joined == [(A, "owner", A, 0), (B, "member", A, 0), (C, "member", A, 0)]
    assert [await revision(house, user) for user in (A, B, C, D)] == [1, 1, 1, 0]


@on_each_database
async def test_titles(house: Any) -> None:
    room = await house.group(A, title="  Zoë's 🦊  ")
    assert (await house.snapshot(room, A)).title == "Zoë's 🦊"
    with pytest.raises(DomainError, match="title"):
        await house.group(A, title="a\nb")
    assert await house.refused(house.update(room, A, title="a\nb")) == "invalid"


@on_each_database
async def test_inviting(house: Any) -> None:
    room = await house.group(A)
    await house.do(house.say(room, A))
    first, second = await house.do(house.invite(room, A, B, B, A), house.invite(room, B, C, B))
    assert (first.version, second.version) == (3, 4)
    memberships = (await homes.list_memberships(house.deps, [B])).users[B]
    membership = memberships.rooms[room]
    assert memberships.revision == 1
    assert (membership.since, membership.joined_version, membership.joined_seq) == (3, 3, 1)
    assert (await rooms_of(house, B))[room].room.last_message is None
    assert (await rooms_of(house, B))[room].room.unread == 0


async def test_whom_one_cannot_invite(house: Any) -> None:
    room = await house.group(A)
    house.auth.unknown = {D}
    assert await house.refused(house.invite(room, A, B, D)) == "not_found"
    assert await house.refused(house.invite(room, A, "someone")) == "not_found"
    assert await house.refused(house.invite(room, C, B)) == "not_found"
    assert await house.refused(house.invite(room, A, *[new_id() for _ in range(101)])) == "invalid"
    await block(house, B, A)
    assert await house.refused(house.invite(room, A, C, B)) == "forbidden"
    with pytest.raises(DomainError) as refusal:
        await house.group(A, B)
    assert refusal.value.code == "forbidden"
    await on_social(house.deps, UserUnblocked(user_id=B, blocked_id=A, version=2))
    await block(house, B, A, version=1)
    await house.do(house.invite(room, A, B))


async def test_without_auth_only_invitations_are_unavailable(house: Any) -> None:
    room = await house.group(A)
    house.auth.away = True
    results = await house.batch(house.say(room, A), house.invite(room, A, B), house.say(room, A))
    assert [isinstance(result, Accepted) for result in results] == [True, False, True]
    assert isinstance(results[1], Rejected)
    assert results[1].code == "unavailable"
    with pytest.raises(DomainError, match="did not go through"):
        await house.direct(A, B)


async def test_limits_of_rooms_and_people(house: Any) -> None:
    room = await house.group(A)
    async with house.deps.database.write() as db:
        await db.execute(text("UPDATE room SET member_count = 1999"))
    results = await house.batch(house.invite(room, A, B), house.invite(room, A, C))
    assert [type(result) for result in results] == [Accepted, Rejected]
    creation_limit = "rooms.domain.membership.MAX_ROOMS"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(creation_limit, 2)
        await house.group(C)
        await house.group(C)
        with pytest.raises(DomainError, match="rooms already"):
            await house.group(C)
        assert await house.refused(house.invite(await house.group(D), D, C)) == "conflict"


@on_each_database
async def test_leaving_and_coming_back(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, B), house.leave(room, B), house.say(room, A), house.say(room, A))
    assert await house.refused(house.say(room, B)) == "not_found"
    assert room not in await rooms_of(house, B)
    (left,) = await house.do(house.leave(room, B))
    assert left.version == 6
    (back,) = await house.do(house.invite(room, A, B))
    membership = (await homes.list_memberships(house.deps, [B])).users[B].rooms[room]
    assert (membership.joined_version, membership.joined_seq) == (back.version, 3)
    await house.do(house.say(room, B))
    assert [event.user_id for event in await house.events(room) if isinstance(event, MemberJoined)] == [A, B, B]
    assert await revision(house, B) == 3


@on_each_database
async def test_join_and_leave_in_one_batch(house: Any) -> None:
    room = await house.group(A)
    results = await house.batch(
        house.invite(room, A, B), house.say(room, B), house.leave(room, B), house.say(room, B), house.invite(room, A, B)
    )
    assert [type(result) for result in results] == [Accepted, Accepted, Accepted, Rejected, Accepted]
    assert (await rooms_of(house, B))[room].room.member_count == 2


@on_each_database
async def test_the_owner_hands_over(house: Any) -> None:
    room = await house.group(A, B, C, D)
    await house.do(house.role(room, A, C, "admin"), house.role(room, A, D, "admin"))
    # D before C only if C were gone: the longest-standing admin comes first, members after all admins
    await house.do(house.leave(room, A), house.leave(room, C), house.leave(room, D), house.leave(room, B))
    changes = await house.events(room, 6)
    assert [(type(event), event.user_id) for event in changes] == [
        (MemberRoleChanged, C), (MemberLeft, A), (MemberRoleChanged, D), (MemberLeft, C),
        (MemberRoleChanged, B), (MemberLeft, D), (MemberLeft, B),
    ]  # fmt: skip
    assert await house.rows("SELECT member_count FROM room") == [(0,)]


async def test_owner_given_away_and_left_in_one_batch(house: Any) -> None:
    room = await house.group(A, B, C)
    await house.do(house.role(room, A, B, "owner"), house.leave(room, B))
    roles = {user: member.role for user, member in (await house.snapshot(room, C)).members.items()}
    assert roles == {A: "owner", C: "member"}


async def test_roles(house: Any) -> None:
    room = await house.group(A, B, C)
    assert await house.refused(house.role(room, B, C, "admin")) == "forbidden"
    assert await house.refused(house.role(room, A, D, "admin")) == "not_found"
    assert await house.refused(house.role(room, A, A, "member")) == "conflict"
    await house.do(house.role(room, A, B, "admin"), house.role(room, A, B, "owner"))
    members = (await house.snapshot(room, A)).members
    assert (members[A].role, members[B].role) == ("admin", "owner")
    assert await house.refused(house.role(room, A, C, "admin")) == "forbidden"


async def test_removing(house: Any) -> None:
    room = await house.group(A, B, C, D)
    await house.do(house.role(room, A, B, "admin"), house.role(room, A, C, "admin"))
    assert await house.refused(house.remove(room, D, B)) == "forbidden"
    assert await house.refused(house.remove(room, B, C)) == "forbidden"
    assert await house.refused(house.remove(room, B, A)) == "forbidden"
    assert await house.refused(house.remove(room, B, new_id())) == "not_found"
    await house.do(house.remove(room, B, D), house.remove(room, A, C))
    assert await house.refused(house.leave(room, D)) == "not_found"  # was put out, and did not leave
    await house.do(house.remove(room, B, B))
    assert set((await house.snapshot(room, A)).members) == {A}
    left = [(event.user_id, event.by) for event in await house.events(room) if isinstance(event, MemberLeft)]
    assert left == [(D, B), (C, A), (B, B)]


async def test_title_and_pin(house: Any) -> None:
    room = await house.group(A, B, C)
    await house.do(house.say(room, A), house.role(room, A, B, "admin"))
    assert await house.refused(house.update(room, C, title="Mine")) == "forbidden"
    assert await house.refused(house.update(room, C, pinned_seq=1)) == "forbidden"
    assert await house.refused(house.update(room, B, pinned_seq=2, title="x")) == "not_found"
    await house.do(house.update(room, B, pinned_seq=1, title="New"))
    snapshot = await house.snapshot(room, C)
    assert (snapshot.title, snapshot.pinned_seq) == ("New", 1)
    await house.do(house.update(room, B, pinned_seq=None))
    assert (await house.snapshot(room, C)).pinned_seq is None


@on_each_database
async def test_muting_is_personal_and_raises_the_revision(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.mute(room, B), house.mute(room, B))
    assert (await rooms_of(house, B))[room].room.muted
    assert (await homes.list_memberships(house.deps, [B])).users[B].rooms[room].muted
    assert not (await rooms_of(house, A))[room].room.muted
    assert (await revision(house, A), await revision(house, B)) == (1, 2)
    assert len(await house.events(room)) == 2


async def test_outsiders_learn_nothing(house: Any) -> None:
    room = await house.group(A, B)
    await house.do(house.say(room, A))
    for target in (room, new_id(), "not-an-id", ""):
        for command in (
            house.say(target, D), house.edit(target, D, 1, "x"), house.delete(target, D, 1), house.react(target, D, 1),
            house.read(target, D, 1), house.invite(target, D, C), house.leave(target, D), house.remove(target, D, A),
            house.role(target, D, A, "admin"), house.update(target, D, title="x"), house.mute(target, D),
        ):  # fmt: skip
            assert await house.batch(command) == [Rejected(code="not_found", detail="There is no such room.")]


@on_each_database
async def test_a_pair_has_one_direct_room_whatever_races(house: Any, second_house: Any) -> None:
    async with second_house() as other:
        deps = [house.deps] if house.deps.database.is_sqlite else [house.deps, other.deps]
        opened = await asyncio.gather(
            *(creation.open_direct(deps[n % len(deps)], *((A, B) if n % 3 else (B, A))) for n in range(10))
        )
    assert len({room for room, _ in opened}) == 1
    assert sum(is_new for _, is_new in opened) == 1
    assert await house.rows("SELECT kind, member_count, head_version FROM room") == [("direct", 2, 2)]


async def test_a_direct_room_keeps_its_two(house: Any) -> None:
    room = await house.direct(A, B)
    for command in (
        house.invite(room, A, C), house.remove(room, A, B), house.role(room, A, B, "owner"),
        house.update(room, A, title="x"),
    ):  # fmt: skip
        assert await house.refused(command) == "conflict"
    await house.do(house.say(room, B), house.update(room, A, pinned_seq=1))
    seen = (await rooms_of(house, A))[room].room
    assert (seen.title, seen.peer_id, seen.unread, seen.pinned_seq) == ("", B, 1, 1)
    for other, code in ((A, "invalid"), ("x", "not_found")):
        with pytest.raises(DomainError) as refusal:
            await house.direct(A, other)
        assert refusal.value.code == code


@on_each_database
async def test_a_direct_room_is_hidden_until_the_next_message(house: Any) -> None:
    room = await house.direct(A, B)
    await house.do(house.say(room, A), house.leave(room, A), house.leave(room, A), house.leave(room, B))
    assert await rooms_of(house, A) == await rooms_of(house, B) == {}
    assert (await homes.list_memberships(house.deps, [A])).users[A].rooms == {}
    assert await revision(house, A) == 2
    (sent,) = await house.do(house.say(room, B))
    for user in (A, B):
        assert (await rooms_of(house, user))[room].membership.since == sent.version == 4
        assert await revision(house, user) == 3


async def test_opening_a_hidden_direct_room_shows_it_to_oneself(house: Any) -> None:
    room = await house.direct(A, B)
    await house.do(house.say(room, A), house.leave(room, A), house.leave(room, B))
    assert await creation.open_direct(house.deps, B, A) == (room, False)
    assert (await rooms_of(house, B))[room].membership.since == 3
    assert await rooms_of(house, A) == {}


@on_each_database
async def test_blocks_in_direct_rooms(house: Any) -> None:
    room = await house.direct(A, B)
    await house.do(house.say(room, A), house.say(room, B))
    await block(house, B, A)
    assert await house.refused(house.say(room, A)) == "forbidden"
    assert await house.refused(house.edit(room, A, 1, "nasty")) == "forbidden"
    await house.do(house.say(room, B), house.delete(room, A, 1))
    for first, other in ((A, B), (A, C)):
        await block(house, other, first)
        with pytest.raises(DomainError) as refusal:
            await house.direct(first, other)
        assert refusal.value.code == "forbidden"
    assert await house.direct(B, A) == room


@on_each_database
async def test_a_closed_account_leaves_everything_and_comes_nowhere(house: Any) -> None:
    rooms = [await house.group(A, B) for _ in range(3)]
    direct = await house.direct(B, C)
    for _ in range(2):
        await on_auth(house.deps, UserClosed(user_id=B, version=2, at=1))
    assert await rooms_of(house, B) == {}
    for room in rooms:
        assert set((await house.snapshot(room, A)).members) == {A}
        assert await house.refused(house.invite(room, A, B)) == "not_found"
    assert (await rooms_of(house, C))[direct].room.peer_id == B
    for attempt in (house.direct(B, D), house.direct(D, B), house.group(B), house.group(D, B)):
        with pytest.raises(DomainError, match="no such user"):
            await attempt


@on_each_database
async def test_closing_and_inviting_at_the_same_time(house: Any) -> None:
    people = [new_id() for _ in range(10)]
    room = await house.group(A)
    await asyncio.gather(
        *(house.batch(house.invite(room, A, user)) for user in people),
        *(on_auth(house.deps, UserClosed(user_id=user, version=2, at=1)) for user in people),
    )
    assert set((await house.snapshot(room, A)).members) == {A}


async def test_the_audit_trail_tells_who_changed_whose_rights(house: Any, trail: list[dict[str, Any]]) -> None:
    room = await house.group(A, B)
    trail.clear()
    await house.do(house.invite(room, A, C), house.role(room, A, B, "admin"), house.remove(room, B, C))
    await house.do(house.role(room, A, B, "admin"), house.leave(room, B))  # nothing changes; one's own will
    assert await house.refused(house.remove(room, C, A)) == "not_found"
    told = [(line["event.action"], line["user.id"], line.get("user.target.id")) for line in trail]
    assert sorted(told) == sorted([("member-invite", A, C), ("role-change", A, B), ("member-remove", B, C)])
    assert {line["webchat.room"] for line in trail} == {room}
    trail.clear()
    await house.group(A, B, C, D)
    [line] = trail
    assert (line["event.action"], line["count"], "user.target.id" in line) == ("member-invite", 3, False)
