"""Each service has its own schema and user, and no access to other schemas."""

from contextlib import closing

import pymysql
import pytest
from containers import Containers
from dotenv import dotenv_values

SERVICES = ("auth", "social", "rooms", "media")
DENIED = {1044, 1045, 1142, 1227}
"""Errors of MySQL and MariaDB: schema access denied, login denied, table access denied, missing privilege."""


def connect(stack: Containers, service: str, password_of: str | None = None) -> pymysql.connections.Connection:
    password = dotenv_values(stack.data / ".env")[f"{(password_of or service).upper()}_DB_PASSWORD"]
    return pymysql.connect(
        host="127.0.0.1", port=stack.port("database"), user=f"webchat_{service}", password=password or ""
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sees_only_its_own_schema(stack: Containers, service: str):
    with closing(connect(stack, service)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        assert {name for (name,) in cursor if name.startswith("webchat")} == {f"webchat_{service}"}
        assert cursor.execute(f"SELECT * FROM webchat_{service}.alembic_version") == 1


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM webchat_{other}.alembic_version",
        "DELETE FROM webchat_{other}.alembic_version",
        "DROP TABLE webchat_{other}.alembic_version",
        "CREATE TABLE webchat_{other}.mine (id INT)",
        "DROP DATABASE webchat_{other}",
        "USE webchat_{other}",
        "CREATE DATABASE webchatx{other}",
        "CREATE USER webchat_more IDENTIFIED BY 'x'",
        "SELECT * FROM mysql.user",
    ],
)
def test_a_service_cannot_access_other_schemas(stack: Containers, service: str, statement: str):
    with closing(connect(stack, service)) as connection, connection.cursor() as cursor:
        for other in (name for name in SERVICES if name != service):
            with pytest.raises(pymysql.MySQLError) as refusal:
                cursor.execute(statement.format(other=other))
            assert refusal.value.args[0] in DENIED, refusal.value


@pytest.mark.parametrize(("service", "other"), list(zip(SERVICES, SERVICES[1:] + SERVICES[:1], strict=True)))
def test_the_password_of_another_service_is_rejected(stack: Containers, service: str, other: str):
    with pytest.raises(pymysql.OperationalError) as refusal:
        connect(stack, service, password_of=other)
    assert refusal.value.args[0] == 1045
