"""The tables of media. A row is inserted before its object is stored, so every object has a row."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String
from sqlalchemy.dialects.mysql import BINARY
from sqlmodel import Field, SQLModel

from shared.database.engine import IdColumn, table_of

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_DIGEST = LargeBinary(32).with_variant(BINARY(32), "mysql", "mariadb")


class AttachmentTable(SQLModel, table=True):
    """Rows of one user may share an object: the same bytes under two names."""

    __tablename__: ClassVar[Any] = "attachment"
    __table_args__: ClassVar[Any] = (
        Index("ix_attachment_bytes", "user_id", "digest"),
        Index("ix_attachment_storage", "user_id", "state", "size"),
        Index("ix_attachment_state", "state", "deadline_at"),
        MYSQL,
    )

    id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    user_id: str = Field(sa_column=Column(IdColumn, nullable=False))
    room_id: str | None = Field(sa_column=Column(IdColumn, nullable=True))
    state: str = Field(sa_column=Column(String(8), nullable=False))
    digest: bytes = Field(sa_column=Column(_DIGEST, nullable=False))
    twin_key: bytes | None = Field(sa_column=Column(_DIGEST, nullable=True, unique=True))
    filename: str = Field(sa_column=Column(String(255), nullable=False))
    content_type: str = Field(sa_column=Column(String(100), nullable=False))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    width: int | None = Field(sa_column=Column(Integer, nullable=True))
    height: int | None = Field(sa_column=Column(Integer, nullable=True))
    thumbnail: bool = Field(sa_column=Column(Boolean, nullable=False))
    object_key: str = Field(sa_column=Column(String(64), nullable=False, index=True))
    created_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    deadline_at: int = Field(sa_column=Column(BigInteger, nullable=False))


class UploadTable(SQLModel, table=True):
    """The attachment of a client id."""

    __tablename__: ClassVar[Any] = "upload"
    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    client_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    attachment_id: str = Field(sa_column=Column(IdColumn, nullable=False, index=True))


class DeletionLogTable(SQLModel, table=True):
    """A requested deletion, its cause, and when the bytes were deleted."""

    __tablename__: ClassVar[Any] = "deletion_receipt"
    __table_args__: ClassVar[Any] = MYSQL

    attachment_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    cause: str = Field(sa_column=Column(String(32), nullable=False))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    asked_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    deleted_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class ClosedAccountTable(SQLModel, table=True):
    """Tombstones of closed accounts, needed because a token outlives its account by up to a minute."""

    __tablename__: ClassVar[Any] = "closed_account"
    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


attachment = table_of(AttachmentTable)
upload = table_of(UploadTable)
deletion_log = table_of(DeletionLogTable)
closed_account = table_of(ClosedAccountTable)
TABLES = (attachment, upload, deletion_log, closed_account)
