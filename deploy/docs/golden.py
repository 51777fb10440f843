"""Golden examples for the tests of other clients: each event and frame as text, and a room folded."""

from typing import Any

import msgspec

from chat_gateway.protocol.frames import (
    CursorsMoved,
    ErrorFrame,
    FriendAdded,
    FriendRemoved,
    PresenceChanged,
    ProfileUpdated,
    Ready,
    RoomAdded,
    RoomMuted,
    RoomRemoved,
    RoomReset,
    SendReply,
    SessionRevoked,
    Typing,
)
from shared.contracts.auth import User
from shared.contracts.media import Attachment
from shared.contracts.rooms import Message, Room
from shared.contracts.social import Profile
from shared.events.rooms import (
    MemberJoined,
    MemberLeft,
    MemberRoleChanged,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    MessageReacted,
    RoomEvent,
    RoomUpdated,
)
from shared.roomlog.fold import Snapshot, fold

ROOM = "01930000-0000-7000-8000-000000000001"
MINJI = "01930000-0000-7000-8000-00000000000a"
JUNHO = "01930000-0000-7000-8000-00000000000b"
SORA = "01930000-0000-7000-8000-00000000000c"
AT = "2026-11-24T07:42:44.123Z"
LATER = "2026-11-24T07:43:00.000Z"

PHOTO = Attachment(
    attachment_id="01930000-0000-7000-8000-0000000000f1",
    filename="바다.jpg",
    content_type="image/jpeg",
    size=52_311,
    width=1600,
    height=1200,
    url="/api/media/attachments/01930000-0000-7000-8000-0000000000f1/content",
    thumbnail_url="/api/media/attachments/01930000-0000-7000-8000-0000000000f1/thumbnail",
)
PROFILE = Profile(
    user_id=JUNHO, webchat_id="junho", display_name="준호", status_message="점심", avatar_url=None, followed=True
)


def _created(version: int, seq: int, sender: str, body: str, **fields: Any) -> MessageCreated:
    client_id = f"0190c0de-0000-4000-8000-{seq:012d}"
    return MessageCreated(
        room_id=ROOM, seq=seq, version=version, sender_id=sender, client_id=client_id,
        kind=fields.pop("kind", "text"), body=body, at=AT, **fields,
    )  # fmt: skip


STORY: list[RoomEvent] = [
    MemberJoined(room_id=ROOM, version=1, at=AT, user_id=MINJI, by=MINJI, role="owner", read_seq=0),
    MemberJoined(room_id=ROOM, version=2, at=AT, user_id=JUNHO, by=MINJI, role="member", read_seq=0),
    _created(3, 1, MINJI, "안녕, 준호!"),
    _created(4, 2, JUNHO, "hi 👋", reply_to=1, mentions=[MINJI]),
    MessageReacted(room_id=ROOM, version=5, at=AT, seq=2, user_id=MINJI, emoji="❤️", removed=False),
    MessageEdited(room_id=ROOM, version=6, at=LATER, seq=1, body="안녕!", edited_at=LATER, by=MINJI),
    MemberRoleChanged(room_id=ROOM, version=7, at=LATER, user_id=JUNHO, by=MINJI, role="admin"),
    RoomUpdated(room_id=ROOM, version=8, at=LATER, by=MINJI, title="점심", pinned_seq=2),
    _created(9, 3, JUNHO, "", kind="file", attachments=[PHOTO]),
    MessageReacted(room_id=ROOM, version=10, at=LATER, seq=2, user_id=MINJI, emoji="❤️", removed=True),
    MessageDeleted(room_id=ROOM, version=11, at=LATER, seq=1, by=MINJI),
    MemberJoined(room_id=ROOM, version=12, at=LATER, user_id=SORA, by=JUNHO, role="member", read_seq=3),
    RoomUpdated(room_id=ROOM, version=13, at=LATER, by=JUNHO, pinned_seq=None),
    MemberLeft(room_id=ROOM, version=14, at=LATER, user_id=SORA, by=SORA),
]

ROOM_STATE = Room(
    room_id=ROOM, kind="direct", title="", member_count=2, version=4, last_seq=2, read_seq=1, unread=1, muted=False,
    role="member", peer_id=JUNHO, last_message=msgspec.convert(STORY[3], Message, from_attributes=True),
)  # fmt: skip

FRAMES: list[msgspec.Struct] = [
    Ready(
        session_id="01930000-0000-7000-8000-0000000000e1",
        user=User(user_id=MINJI, email="minji@example.com", webchat_id="minji", display_name="민지"),
        friends=[PROFILE],
        rooms=[ROOM_STATE],
        heartbeat=25,
        epoch="3faba00ece042e49",
    ),
    SendReply(id="1", seq=2, version=4, at=AT, duplicate=False),
    ErrorFrame(id="2", code="rate_limited", detail="More frames than allowed.", retry_after=1),
    RoomAdded(room=ROOM_STATE),
    RoomRemoved(room_id=ROOM),
    RoomMuted(room_id=ROOM, muted=True),
    RoomReset(room_id=ROOM),
    FriendAdded(profile=PROFILE),
    FriendRemoved(user_id=JUNHO),
    ProfileUpdated(profile=PROFILE),
    SessionRevoked(),
    CursorsMoved(room_id=ROOM, cursors={JUNHO: 2}),
    Typing(room_id=ROOM, user_id=JUNHO, typing=True),
    PresenceChanged(user_id=JUNHO, status="online"),
]


def golden_events() -> dict[str, Any]:
    """Return one example of each frame from the server as its exact text, by op. Further ones get a number."""
    examples: dict[str, str] = {}
    for frame in [*STORY, *FRAMES]:
        op, text = str(frame.__struct_config__.tag), msgspec.json.encode(frame).decode()
        name = op
        while name in examples:
            name = f"{op} ({len([key for key in examples if key.startswith(op)]) + 1})"
        examples[name] = text
    return examples


def golden_folds() -> list[Any]:
    """Return the story folded from every version: `snapshot`, the later `events`, and the result `folded`."""
    empty = Snapshot(version=0, from_seq=1, messages={}, title="")
    snapshots = [fold(empty, STORY[:count]) for count in range(len(STORY) + 1)]
    final = snapshots[-1]
    return [
        {
            "snapshot": msgspec.to_builtins(snapshot, str_keys=True),
            "events": msgspec.to_builtins(STORY[snapshot.version :]),
            "folded": msgspec.to_builtins(final, str_keys=True),
        }
        for snapshot in snapshots
    ]
