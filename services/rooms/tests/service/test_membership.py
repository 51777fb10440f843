"""Membership: inviting, leaving, removing, roles, direct rooms, closed accounts."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from rooms.consumers import on_auth, on_social
from rooms.service import creation
from rooms.service.pipeline.commands import execute_one
from rooms.service.queries import memberships, room_lists
from shared.contracts.rooms import Accepted, Rejected
from shared.errors import DomainError, MemberRemoved
from shared.events.auth import UserClosed
from shared.events.rooms import MemberJoined, MemberLeft, MemberRoleChanged
from shared.events.social import UserBlocked, UserUnblocked
from shared.ids import new_id
from shared.testing.fixtures import on_each_database

from .conftest import OpenProcess, RoomsDriver

A, B, C, D = (new_id() for _ in range(4))


async def block(driver: RoomsDriver, user: str, other: str, version: int = 1) -> None:
    await on_social(driver.deps, UserBlocked(user_id=user, blocked_id=other, version=version))


async def rooms_of(driver: RoomsDriver, user: str) -> dict[str, Any]:
    room_list = (await room_lists.list_room_lists(driver.deps, {user: None})).users[user]
    return {one.room.room_id: one for one in room_list.rooms}


async def revision(driver: RoomsDriver, user: str) -> int:
    return (await memberships.list_revisions(driver.deps, [user])).revisions[user]


@on_each_database
async def test_a_group_begins_with_its_members(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, A, C, B)
    joined = [(event.user_id, event.role, event.by, event.read_seq) for event in await driver.events(room)]
    assert joined == [(A, "owner", A, 0), (B, "member", A, 0), (C, "member", A, 0)]
    assert [await revision(driver, user) for user in (A, B, C, D)] == [1, 1, 1, 0]


@on_each_database
async def test_titles(driver: RoomsDriver) -> None:
    room = await driver.group(A, title="  Zoë's 🦊  ")
    assert (await driver.snapshot(room, A)).title == "Zoë's 🦊"
    with pytest.raises(DomainError, match="title"):
        await driver.group(A, title="a\nb")
    assert await driver.rejected(driver.update(room, A, title="a\nb")) == "invalid"


@on_each_database
async def test_inviting(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    await driver.execute(driver.send(room, A))
    first, second = await driver.execute(driver.invite(room, A, B, B, A), driver.invite(room, B, C, B))
    assert (first.version, second.version) == (3, 4)
    of_user = (await memberships.list_memberships(driver.deps, [B])).users[B]
    membership = of_user.rooms[room]
    assert of_user.revision == 1
    assert (membership.since, membership.joined_version, membership.joined_seq) == (3, 3, 1)
    assert (await rooms_of(driver, B))[room].room.last_message is None
    assert (await rooms_of(driver, B))[room].room.unread == 0


async def test_rejected_invitations(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    driver.auth.unknown = {D}
    assert await driver.rejected(driver.invite(room, A, B, D)) == "not_found"
    assert await driver.rejected(driver.invite(room, A, "someone")) == "not_found"
    assert await driver.rejected(driver.invite(room, C, B)) == "not_found"
    assert await driver.rejected(driver.invite(room, A, *[new_id() for _ in range(101)])) == "invalid"
    await block(driver, B, A)
    assert await driver.rejected(driver.invite(room, A, C, B)) == "forbidden"
    with pytest.raises(DomainError) as raised:
        await driver.group(A, B)
    assert raised.value.code == "forbidden"
    await on_social(driver.deps, UserUnblocked(user_id=B, blocked_id=A, version=2))
    await block(driver, B, A, version=1)
    await driver.execute(driver.invite(room, A, B))


@on_each_database
async def test_a_removed_member_is_not_brought_back_by_a_member(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    await driver.execute(driver.remove(room, A, B))
    assert await driver.rejected(driver.invite(room, C, B)) == "member_removed"
    with pytest.raises(MemberRemoved):
        await execute_one(driver.deps, driver.invite(room, C, B))
    await driver.execute(driver.invite(room, A, B))
    assert room in await rooms_of(driver, B)


async def test_without_auth_only_invitations_are_unavailable(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    driver.auth.unavailable = True
    results = await driver.batch(driver.send(room, A), driver.invite(room, A, B), driver.send(room, A))
    assert [isinstance(result, Accepted) for result in results] == [True, False, True]
    assert isinstance(results[1], Rejected)
    assert results[1].code == "unavailable"
    with pytest.raises(DomainError, match="did not go through"):
        await driver.direct(A, B)


async def test_limits_of_rooms_and_users(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    async with driver.deps.database.write() as db:
        await db.execute(text("UPDATE room SET member_count = 1999"))
    results = await driver.batch(driver.invite(room, A, B), driver.invite(room, A, C))
    assert [type(result) for result in results] == [Accepted, Rejected]
    creation_limit = "rooms.domain.membership.MAX_ROOMS_PER_USER"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(creation_limit, 2)
        await driver.group(C)
        await driver.group(C)
        with pytest.raises(DomainError, match="rooms already"):
            await driver.group(C)
        assert await driver.rejected(driver.invite(await driver.group(D), D, C)) == "conflict"


@on_each_database
async def test_leaving_and_rejoining(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.send(room, B), driver.leave(room, B), driver.send(room, A), driver.send(room, A))
    assert await driver.rejected(driver.send(room, B)) == "not_found"
    assert room not in await rooms_of(driver, B)
    (left,) = await driver.execute(driver.leave(room, B))
    assert left.version == 6
    (back,) = await driver.execute(driver.invite(room, A, B))
    membership = (await memberships.list_memberships(driver.deps, [B])).users[B].rooms[room]
    assert (membership.joined_version, membership.joined_seq) == (back.version, 3)
    await driver.execute(driver.send(room, B))
    assert [event.user_id for event in await driver.events(room) if isinstance(event, MemberJoined)] == [A, B, B]
    assert await revision(driver, B) == 3


@on_each_database
async def test_join_and_leave_in_one_batch(driver: RoomsDriver) -> None:
    room = await driver.group(A)
    results = await driver.batch(
        driver.invite(room, A, B),
        driver.send(room, B),
        driver.leave(room, B),
        driver.send(room, B),
        driver.invite(room, A, B),
    )
    assert [type(result) for result in results] == [Accepted, Accepted, Accepted, Rejected, Accepted]
    assert (await rooms_of(driver, B))[room].room.member_count == 2


@on_each_database
async def test_ownership_passes_to_the_senior_admin(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C, D)
    await driver.execute(driver.role(room, A, C, "admin"), driver.role(room, A, D, "admin"))
    # C joined before D, so C is the first successor. Members come after all admins.
    await driver.execute(driver.leave(room, A), driver.leave(room, C), driver.leave(room, D), driver.leave(room, B))
    changes = await driver.events(room, 6)
    assert [(type(event), event.user_id) for event in changes] == [
        (MemberRoleChanged, C), (MemberLeft, A), (MemberRoleChanged, D), (MemberLeft, C),
        (MemberRoleChanged, B), (MemberLeft, D), (MemberLeft, B),
    ]  # fmt: skip
    assert await driver.rows("SELECT member_count FROM room") == [(0,)]


async def test_transferring_ownership_and_leaving_in_one_batch(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    await driver.execute(driver.role(room, A, B, "owner"), driver.leave(room, B))
    roles = {user: member.role for user, member in (await driver.snapshot(room, C)).members.items()}
    assert roles == {A: "owner", C: "member"}


async def test_roles(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    assert await driver.rejected(driver.role(room, B, C, "admin")) == "forbidden"
    assert await driver.rejected(driver.role(room, A, D, "admin")) == "not_found"
    assert await driver.rejected(driver.role(room, A, A, "member")) == "conflict"
    await driver.execute(driver.role(room, A, B, "admin"), driver.role(room, A, B, "owner"))
    members = (await driver.snapshot(room, A)).members
    assert (members[A].role, members[B].role) == ("admin", "owner")
    assert await driver.rejected(driver.role(room, A, C, "admin")) == "forbidden"


async def test_removing(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C, D)
    await driver.execute(driver.role(room, A, B, "admin"), driver.role(room, A, C, "admin"))
    assert await driver.rejected(driver.remove(room, D, B)) == "forbidden"
    assert await driver.rejected(driver.remove(room, B, C)) == "forbidden"
    assert await driver.rejected(driver.remove(room, B, A)) == "forbidden"
    assert await driver.rejected(driver.remove(room, B, new_id())) == "not_found"
    await driver.execute(driver.remove(room, B, D), driver.remove(room, A, C))
    assert await driver.rejected(driver.leave(room, D)) == "not_found"  # removed members cannot leave
    await driver.execute(driver.remove(room, B, B))
    assert set((await driver.snapshot(room, A)).members) == {A}
    left = [(event.user_id, event.by) for event in await driver.events(room) if isinstance(event, MemberLeft)]
    assert left == [(D, B), (C, A), (B, B)]


async def test_title_and_pin(driver: RoomsDriver) -> None:
    room = await driver.group(A, B, C)
    await driver.execute(driver.send(room, A), driver.role(room, A, B, "admin"))
    assert await driver.rejected(driver.update(room, C, title="Mine")) == "forbidden"
    assert await driver.rejected(driver.update(room, C, pinned_seq=1)) == "forbidden"
    assert await driver.rejected(driver.update(room, B, pinned_seq=2, title="x")) == "not_found"
    await driver.execute(driver.update(room, B, pinned_seq=1, title="New"))
    snapshot = await driver.snapshot(room, C)
    assert (snapshot.title, snapshot.pinned_seq) == ("New", 1)
    await driver.execute(driver.update(room, B, pinned_seq=None))
    assert (await driver.snapshot(room, C)).pinned_seq is None


@on_each_database
async def test_muting_is_personal_and_raises_the_revision(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.mute(room, B), driver.mute(room, B))
    assert (await rooms_of(driver, B))[room].room.muted
    assert (await memberships.list_memberships(driver.deps, [B])).users[B].rooms[room].muted
    assert not (await rooms_of(driver, A))[room].room.muted
    assert (await revision(driver, A), await revision(driver, B)) == (1, 2)
    assert len(await driver.events(room)) == 2


async def test_non_members_get_the_error_of_a_missing_room(driver: RoomsDriver) -> None:
    room = await driver.group(A, B)
    await driver.execute(driver.send(room, A))
    for target in (room, new_id(), "not-an-id", ""):
        for command in (
            driver.send(target, D), driver.edit(target, D, 1, "x"), driver.delete(target, D, 1),
            driver.react(target, D, 1), driver.read(target, D, 1), driver.invite(target, D, C),
            driver.leave(target, D), driver.remove(target, D, A), driver.role(target, D, A, "admin"),
            driver.update(target, D, title="x"), driver.mute(target, D),
        ):  # fmt: skip
            assert await driver.batch(command) == [Rejected(code="not_found", detail="There is no such room.")]


@on_each_database
async def test_concurrent_requests_open_one_direct_room(driver: RoomsDriver, second_process: OpenProcess) -> None:
    async with second_process() as other:
        deps = [driver.deps] if driver.deps.database.is_sqlite else [driver.deps, other.deps]
        opened = await asyncio.gather(
            *(creation.open_direct(deps[n % len(deps)], *((A, B) if n % 3 else (B, A))) for n in range(10))
        )
    assert len({room for room, _ in opened}) == 1
    assert sum(is_new for _, is_new in opened) == 1
    assert await driver.rows("SELECT kind, member_count, head_version FROM room") == [("direct", 2, 2)]


async def test_the_members_of_a_direct_room_are_fixed(driver: RoomsDriver) -> None:
    room = await driver.direct(A, B)
    for command in (
        driver.invite(room, A, C), driver.remove(room, A, B), driver.role(room, A, B, "owner"),
        driver.update(room, A, title="x"),
    ):  # fmt: skip
        assert await driver.rejected(command) == "conflict"
    await driver.execute(driver.send(room, B), driver.update(room, A, pinned_seq=1))
    seen = (await rooms_of(driver, A))[room].room
    assert (seen.title, seen.peer_id, seen.unread, seen.pinned_seq) == ("", B, 1, 1)
    for other, code in ((A, "invalid"), ("x", "not_found")):
        with pytest.raises(DomainError) as raised:
            await driver.direct(A, other)
        assert raised.value.code == code


@on_each_database
async def test_a_direct_room_is_hidden_until_the_next_message(driver: RoomsDriver) -> None:
    room = await driver.direct(A, B)
    await driver.execute(driver.send(room, A), driver.leave(room, A), driver.leave(room, A), driver.leave(room, B))
    assert await rooms_of(driver, A) == await rooms_of(driver, B) == {}
    assert (await memberships.list_memberships(driver.deps, [A])).users[A].rooms == {}
    assert await revision(driver, A) == 2
    (sent,) = await driver.execute(driver.send(room, B))
    for user in (A, B):
        assert (await rooms_of(driver, user))[room].membership.since == sent.version == 4
        assert await revision(driver, user) == 3


async def test_opening_a_hidden_direct_room_shows_it_to_the_caller(driver: RoomsDriver) -> None:
    room = await driver.direct(A, B)
    await driver.execute(driver.send(room, A), driver.leave(room, A), driver.leave(room, B))
    assert await creation.open_direct(driver.deps, B, A) == (room, False)
    assert (await rooms_of(driver, B))[room].membership.since == 3
    assert await rooms_of(driver, A) == {}


@on_each_database
async def test_blocks_in_direct_rooms(driver: RoomsDriver) -> None:
    room = await driver.direct(A, B)
    await driver.execute(driver.send(room, A), driver.send(room, B))
    await block(driver, B, A)
    assert await driver.rejected(driver.send(room, A)) == "forbidden"
    assert await driver.rejected(driver.edit(room, A, 1, "nasty")) == "forbidden"
    await driver.execute(driver.send(room, B), driver.delete(room, A, 1))
    assert await driver.rejected(driver.react(room, A, 2)) == "forbidden"
    for first, other in ((A, B), (A, C)):
        await block(driver, other, first)
        with pytest.raises(DomainError) as raised:
            await driver.direct(first, other)
        assert raised.value.code == "forbidden"
    assert await driver.direct(B, A) == room


async def silenced(driver: RoomsDriver, room: str, user: str) -> tuple[bool, int]:
    """Return what gateways get for one member: whether it is silenced, and the revision of its rooms."""
    found = (await memberships.list_memberships(driver.deps, [user])).users[user]
    assert (await rooms_of(driver, user))[room].membership.silenced == found.rooms[room].silenced
    return found.rooms[room].silenced, found.revision


@on_each_database
async def test_a_block_silences_in_the_direct_room(driver: RoomsDriver) -> None:
    room = await driver.direct(A, B)
    (_, of_a), (_, of_b) = await silenced(driver, room, A), await silenced(driver, room, B)
    await block(driver, B, A, version=1)
    assert (await silenced(driver, room, A), await silenced(driver, room, B)) == ((True, of_a + 1), (False, of_b))
    await on_social(driver.deps, UserUnblocked(user_id=B, blocked_id=A, version=2))
    await block(driver, B, A, version=1)  # outdated
    assert await silenced(driver, room, A) == (False, of_a + 2)
    await driver.execute(driver.send(room, A))


@on_each_database
async def test_a_block_before_the_direct_room_silences_too(driver: RoomsDriver) -> None:
    await block(driver, C, D)
    assert [await silenced(driver, await driver.direct(C, D), user) for user in (C, D)] == [(False, 1), (True, 1)]


@on_each_database
async def test_a_closed_account_leaves_all_groups_and_cannot_join(driver: RoomsDriver) -> None:
    rooms = [await driver.group(A, B) for _ in range(3)]
    direct = await driver.direct(B, C)
    for _ in range(2):
        await on_auth(driver.deps, UserClosed(user_id=B, version=2, at=1))
    assert await rooms_of(driver, B) == {}
    for room in rooms:
        assert set((await driver.snapshot(room, A)).members) == {A}
        assert await driver.rejected(driver.invite(room, A, B)) == "not_found"
    assert (await rooms_of(driver, C))[direct].room.peer_id == B
    for attempt in (driver.direct(B, D), driver.direct(D, B), driver.group(B), driver.group(D, B)):
        with pytest.raises(DomainError, match="no such user"):
            await attempt


@on_each_database
async def test_closing_and_inviting_at_the_same_time(driver: RoomsDriver) -> None:
    users = [new_id() for _ in range(10)]
    room = await driver.group(A)
    await asyncio.gather(
        *(driver.batch(driver.invite(room, A, user)) for user in users),
        *(on_auth(driver.deps, UserClosed(user_id=user, version=2, at=1)) for user in users),
    )
    assert set((await driver.snapshot(room, A)).members) == {A}


async def test_the_audit_trail_records_changes_by_others(driver: RoomsDriver, trail: list[dict[str, Any]]) -> None:
    room = await driver.group(A, B)
    trail.clear()
    await driver.execute(driver.invite(room, A, C), driver.role(room, A, B, "admin"), driver.remove(room, B, C))
    await driver.execute(driver.role(room, A, B, "admin"), driver.leave(room, B))  # no change; a change by oneself
    assert await driver.rejected(driver.remove(room, C, A)) == "not_found"
    audited = [(line["event.action"], line["user.id"], line.get("user.target.id")) for line in trail]
    assert sorted(audited) == sorted([("member-invite", A, C), ("role-change", A, B), ("member-remove", B, C)])
    assert {line["webchat.room"] for line in trail} == {room}
    trail.clear()
    await driver.group(A, B, C, D)
    [line] = trail
    assert (line["event.action"], line["count"], "user.target.id" in line) == ("member-invite", 3, False)
