"""The tables of auth. Every text column has a binary collation: two keys are equal if their bytes are.

The row of a closed account stays, without personal data, so that its id and its WebChat ID are never reused.
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.dialects.mysql import BINARY
from sqlmodel import Field, SQLModel

from shared.database.engine import IdColumn, table_of

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _digest(**options: Any) -> Column[bytes]:
    """A column for a SHA-256."""
    return Column(LargeBinary(32).with_variant(BINARY(32), "mysql", "mariadb"), nullable=False, **options)


class User(SQLModel, table=True):
    """`display_name` is a copy of the profile's in social; `name_version` is the version of that copy."""

    __table_args__: ClassVar[Any] = MYSQL

    id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    webchat_id: str | None = Field(sa_column=Column(String(20), nullable=True))
    webchat_id_hash: bytes = Field(sa_column=_digest(unique=True))
    email: str | None = Field(sa_column=Column(String(254), nullable=True))
    email_key: str | None = Field(sa_column=Column(String(254), nullable=True, unique=True))
    display_name: str = Field(sa_column=Column(String(60), nullable=False))
    name_version: int = Field(sa_column=Column(Integer, nullable=False))
    password_hash: str = Field(sa_column=Column(String(255), nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    closed_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class Session(SQLModel, table=True):
    __table_args__: ClassVar[Any] = MYSQL

    id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    user_id: str = Field(sa_column=Column(IdColumn, ForeignKey("user.id"), nullable=False, index=True))
    secret_hash: bytes = Field(sa_column=_digest(unique=True))
    created_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    last_seen_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    expires_at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    user_agent: str = Field(sa_column=Column(String(200), nullable=False))
    address: str = Field(sa_column=Column(String(45), nullable=False))


class Revocation(SQLModel, table=True):
    """A session that was revoked. The row is kept for some minutes, until every gateway has seen it."""

    __table_args__: ClassVar[Any] = MYSQL

    session_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    user_id: str = Field(sa_column=Column(IdColumn, nullable=False))
    revoked_at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    replaced: bool = Field(sa_column=Column(Boolean, nullable=False))
    """By another session of the same user in the same browser."""


class SigningKey(SQLModel, table=True):
    __tablename__: ClassVar[Any] = "signing_key"
    __table_args__: ClassVar[Any] = MYSQL

    generation: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    kid: str = Field(sa_column=Column(String(36), nullable=False, unique=True))
    public_jwk: str = Field(sa_column=Column(String(512), nullable=False))
    sealed_jwk: bytes = Field(sa_column=Column(LargeBinary(1024), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger, nullable=False))


user = table_of(User)
session = table_of(Session)
revocation = table_of(Revocation)
signing_key = table_of(SigningKey)
