"""The tables of social. Text has a binary collation, so that a prefix range is the same on every engine.

A closed account keeps an empty row in `person`, so that late events cannot restore the profile.
"""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String
from sqlmodel import Field, SQLModel

from shared.database.engine import IdColumn, table_of

MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Person(SQLModel, table=True):
    """A profile. `name_version` counts the changes of the display name, `account_version` is a version of auth."""

    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    webchat_id: str | None = Field(sa_column=Column(String(20), nullable=True, unique=True))
    display_name: str = Field(sa_column=Column(String(60), nullable=False))
    name_version: int = Field(sa_column=Column(Integer, nullable=False))
    status_message: str = Field(sa_column=Column(String(200), nullable=False))
    avatar_id: str | None = Field(sa_column=Column(IdColumn, nullable=True))
    account_version: int = Field(sa_column=Column(Integer, nullable=False))
    closed_at: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class Follow(SQLModel, table=True):
    __table_args__: ClassVar[Any] = (
        Index("ix_follow_following", "follower_id", "since", "followee_id"),
        Index("ix_follow_followers", "followee_id", "since", "follower_id"),
        MYSQL,
    )

    follower_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    followee_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    since: int = Field(sa_column=Column(BigInteger, nullable=False))


class Block(SQLModel, table=True):
    """A row per ordered pair that ever had a block. `version` counts its changes, `standing` means active."""

    __table_args__: ClassVar[Any] = (Index("ix_block_blocked", "blocked_id", "blocker_id"), MYSQL)

    blocker_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    blocked_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    standing: bool = Field(sa_column=Column(Boolean, nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    since: int = Field(sa_column=Column(BigInteger, nullable=False))


class FriendRevision(SQLModel, table=True):
    """The revision of a user's friend list, raised in the transaction that changes it. Without a row it is 0."""

    __tablename__: ClassVar[Any] = "friend_revision"
    __table_args__: ClassVar[Any] = MYSQL

    user_id: str = Field(sa_column=Column(IdColumn, primary_key=True))
    revision: int = Field(sa_column=Column(BigInteger, nullable=False))


person = table_of(Person)
follow = table_of(Follow)
block = table_of(Block)
friend_revision = table_of(FriendRevision)
