"""The driver's connection to a database that has to speak TLS."""

from typing import Any

from aiomysql import Connection
from pymysql.constants import CLIENT
from pymysql.constants.CR import CR_SSL_CONNECTION_ERROR
from pymysql.err import OperationalError


class EncryptedConnection(Connection):  # type: ignore[misc]
    """aiomysql would go on in the clear where the server, or whoever stands before it, offers no TLS."""

    async def _request_authentication(self) -> None:
        if not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(CR_SSL_CONNECTION_ERROR, "the database offers no TLS, and DB_TLS_CA asks for it")
        await super()._request_authentication()


async def connect_encrypted(**arguments: Any) -> EncryptedConnection:
    connection = EncryptedConnection(**arguments)
    await connection._connect()  # noqa: SLF001 - aiomysql.connect makes its own class alone
    return connection
