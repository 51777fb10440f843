"""The tables of rooms. The row of a room assigns the numbers of its messages and events.

Text columns have a binary collation: keys are equal if their bytes are equal. Times are in milliseconds.
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, SmallInteger, String, Text, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.mysql import BINARY, VARBINARY
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from shared.database.engine import IdColumn, table_of
from shared.outbox.table import outbox

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _id(*, nullable: bool = False, **options: Any) -> Any:
    return Field(sa_column=Column(IdColumn, nullable=nullable, **options))


def _integer(*, nullable: bool = False, **options: Any) -> Any:
    return Field(sa_column=Column(BigInteger, nullable=nullable, autoincrement=False, **options))


def _flag(**options: Any) -> Any:
    return Field(sa_column=Column(Boolean, nullable=False, **options))


def _string(size: int, **options: Any) -> Any:
    return Field(sa_column=Column(String(size), nullable=False, **options))


def _exactly(size: int) -> TypeEngine[bytes]:
    return LargeBinary(size).with_variant(BINARY(size), "mysql", "mariadb")


def _up_to(size: int) -> TypeEngine[bytes]:
    return LargeBinary(size).with_variant(VARBINARY(size), "mysql", "mariadb")


class RoomTable(SQLModel, table=True):
    """`direct_key`: the two members of a direct room, sorted, so that a pair has only one. `updated_at`: last event."""

    __tablename__: ClassVar[Any] = "room"
    __table_args__: ClassVar[Any] = MYSQL

    id: str = _id(primary_key=True)
    kind: str = _string(8)
    title: str = _string(100)
    direct_key: bytes | None = Field(sa_column=Column(_exactly(32), nullable=True, unique=True))
    created_at: int = _integer()
    head_version: int = _integer()
    head_seq: int = _integer()
    member_count: int = Field(sa_column=Column(Integer, nullable=False))
    pinned_seq: int | None = _integer(nullable=True)
    updated_at: int = _integer(index=True)


class MemberTable(SQLModel, table=True):
    """Rows of former members remain. `left_version` is None for current members, `removed` is true for removed ones.

    The defaults are never used. They allow the upsert that moves cursors to name only the cursor column.
    """

    __tablename__: ClassVar[Any] = "member"
    __table_args__: ClassVar[Any] = MYSQL

    room_id: str = _id(primary_key=True)
    user_id: str = _id(primary_key=True, index=True)
    role: str = _string(8, server_default="member")
    read_seq: int = _integer()
    joined_seq: int = _integer(server_default=text("0"))
    joined_version: int = _integer(server_default=text("0"))
    joined_at: int = _integer(server_default=text("0"))
    muted: bool = _flag(server_default=text("0"))
    shown_version: int = _integer(server_default=text("0"))
    hidden: bool = _flag(server_default=text("0"))
    left_version: int | None = _integer(nullable=True)
    removed: bool = _flag(server_default=text("0"))
    silenced: bool = _flag(server_default=text("0"))
    """The other member of the direct room has blocked this one. A copy of `blocked_pair` for gateways."""


class MessageTable(SQLModel, table=True):
    """The current state of a message. `digest` is that of the original content, with which duplicates are compared.

    It is sealed with a key once the message is edited or deleted (`domain/digests.py`).
    `search_text` is the normalised body, None if there is no text.
    """

    __tablename__: ClassVar[Any] = "message"
    __table_args__: ClassVar[Any] = (
        Unique("room_id", "sender_id", "client_id", name="message_client"),
        Index("message_at", "room_id", "at"),
        MYSQL,
    )

    room_id: str = _id(primary_key=True)
    seq: int = _integer(primary_key=True)
    version: int = _integer()
    sender_id: str = _id()
    client_id: str = _id()
    digest: bytes = Field(sa_column=Column(_exactly(32), nullable=False))
    kind: str = _string(8)
    body: str = Field(sa_column=Column(Text, nullable=False))
    at: int = _integer()
    edited_at: int | None = _integer(nullable=True)
    deleted: bool = _flag()
    reply_to: int | None = _integer(nullable=True)
    attachments: bytes | None = Field(sa_column=Column(LargeBinary(65535), nullable=True))
    mentions: bytes | None = Field(sa_column=Column(LargeBinary(65535), nullable=True))
    reaction_count: int = Field(sa_column=Column(SmallInteger, nullable=False))
    search_text: str | None = Field(sa_column=Column(Text, nullable=True))


class ReactionTable(SQLModel, table=True):
    """`emoji` is in UTF-8. `version` is the version of the event."""

    __tablename__: ClassVar[Any] = "reaction"
    __table_args__: ClassVar[Any] = MYSQL

    room_id: str = _id(primary_key=True)
    seq: int = _integer(primary_key=True)
    emoji: bytes = Field(sa_column=Column(_up_to(32), primary_key=True))
    user_id: str = _id(primary_key=True)
    version: int = _integer()


class RoomEventTable(SQLModel, table=True):
    """Events, without the text of messages. `command_id` is set on the last event of a command."""

    __tablename__: ClassVar[Any] = "room_event"
    __table_args__: ClassVar[Any] = (Unique("room_id", "actor_id", "command_id", name="room_event_command"), MYSQL)

    room_id: str = _id(primary_key=True)
    version: int = _integer(primary_key=True)
    at: int = _integer(index=True)
    op: str = _string(20)
    seq: int | None = _integer(nullable=True)
    actor_id: str = _id()
    target_id: str | None = _id(nullable=True)
    command_id: str | None = _id(nullable=True)
    data: bytes | None = Field(sa_column=Column(_up_to(1024), nullable=True))


class MessageAttachmentTable(SQLModel, table=True):
    """References of messages to attachments. A row with seq 0 marks an attachment as unreferenced permanently."""

    __tablename__: ClassVar[Any] = "message_attachment"
    __table_args__: ClassVar[Any] = MYSQL

    room_id: str = _id(primary_key=True)
    attachment_id: str = _id(primary_key=True)
    seq: int = _integer(primary_key=True)


class LogEpochTable(SQLModel, table=True):
    """One row: the id of this history of all rooms. The README says when to renew it."""

    __tablename__: ClassVar[Any] = "log_epoch"
    __table_args__: ClassVar[Any] = MYSQL

    id: int = _integer(primary_key=True)
    epoch: str = _string(32)


class RoomRevisionTable(SQLModel, table=True):
    """Counts the changes of a user's room list. Its row lock orders joins and the closing of the account."""

    __tablename__: ClassVar[Any] = "room_revision"
    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = _id(primary_key=True)
    revision: int = _integer()


class BlockedPairTable(SQLModel, table=True):
    """Blocks received from social. A removed block keeps its row and version, so that older events are ignored."""

    __tablename__: ClassVar[Any] = "blocked_pair"
    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = _id(primary_key=True)
    blocked_id: str = _id(primary_key=True, index=True)
    version: int = _integer()
    blocked: bool = _flag()


class ClosedUserTable(SQLModel, table=True):
    """Closed accounts, which can never join a room again."""

    __tablename__: ClassVar[Any] = "closed_user"
    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = _id(primary_key=True)
    at: int = _integer()


class SweepTable(SQLModel, table=True):
    """One row: the start of the last complete sweep."""

    __tablename__: ClassVar[Any] = "sweep"
    __table_args__: ClassVar[Any] = MYSQL

    id: int = _integer(primary_key=True)
    began_at: int = _integer()


room = table_of(RoomTable)
member = table_of(MemberTable)
message = table_of(MessageTable)
reaction = table_of(ReactionTable)
room_event = table_of(RoomEventTable)
message_attachment = table_of(MessageAttachmentTable)
log_epoch = table_of(LogEpochTable)
room_revision = table_of(RoomRevisionTable)
blocked_pair = table_of(BlockedPairTable)
closed_user = table_of(ClosedUserTable)
sweep = table_of(SweepTable)
TABLES = (
    room, member, message, reaction, room_event, message_attachment, log_epoch, room_revision, blocked_pair,
    closed_user, sweep, outbox,
)  # fmt: skip
