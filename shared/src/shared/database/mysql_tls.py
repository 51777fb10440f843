"""Connections to MySQL that require TLS."""

from typing import Any

from aiomysql import Connection
from pymysql.constants import CLIENT
from pymysql.constants.CR import CR_SSL_CONNECTION_ERROR
from pymysql.err import OperationalError


class EncryptedConnection(Connection):  # type: ignore[misc]
    """Without this, aiomysql continues in plain text if the server, or an attacker in between, offers no TLS."""

    async def _request_authentication(self) -> None:
        if not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(CR_SSL_CONNECTION_ERROR, "the database offers no TLS, but DB_TLS_CA requires it")
        await super()._request_authentication()


async def connect_encrypted(**arguments: Any) -> EncryptedConnection:
    connection = EncryptedConnection(**arguments)
    await connection._connect()  # noqa: SLF001 - aiomysql.connect cannot create a subclass
    return connection
