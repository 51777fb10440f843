"""Redis and MySQL with passwords and TLS, as managed ones have: certificates are verified."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Any, ClassVar

import pymysql
import pytest
from pydantic import ValidationError
from redis import Redis
from redis.exceptions import ResponseError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from shared.database.engine import Database
from shared.redis.client import (
    REDIS_DOWN,
    AnyRedis,
    Cluster,
    access_of,
    close_redis,
    connect_redis,
    shard_of,
)  # fmt: skip
from shared.redis.push import connect_push
from shared.settings import Settings
from shared.testing.fixtures import eventually
from shared.testing.servers import free_port, mariadb, mariadb_is_here, valkey, wait_until
from shared.testing.tls import Certificates, make_certificates, speaking_tls

PASSWORD = "a password & more"


class RoomsSettings(Settings):
    service: ClassVar[str] = "rooms"


def settings(**chosen: object) -> Settings:
    return RoomsSettings(_env_file=None, service_secret="s" * 40, **chosen)  # type: ignore[arg-type,call-arg]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of another authority."""
    return make_certificates(tmp_path_factory.mktemp("foreign"))


@dataclass
class Guarded:
    """A Valkey with a password, a user `webchat` with another one, and optionally only TLS."""

    endpoint: list[str]
    tls: bool
    authorities: str | None

    def connect(self, **other: object) -> AnyRedis:
        chosen = {"redis_password": PASSWORD, "redis_tls": self.tls, "redis_tls_ca": self.authorities}
        return connect_redis(settings(redis_endpoint=self.endpoint, **(chosen | other)))


@contextmanager
def guarded_valkey(folder: Path, *options: str) -> Iterator[int]:
    with valkey(folder, "--requirepass", PASSWORD, *options) as port:
        with Redis(port=port, password=PASSWORD) as redis:
            redis.acl_setuser(
                "webchat", enabled=True, passwords=["+another password"], categories=["+@all"], keys=["*"]
            )
            redis.execute_command("ACL SETUSER webchat allchannels")
        yield port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with guarded_valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The port of a cluster node, and the port that it announces."""
    announced = free_port()
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    with guarded_valkey(tmp_path_factory.mktemp("c"), *options, "--cluster-announce-port", str(announced)) as port:
        with Redis(port=port, password=PASSWORD) as redis:
            redis.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
            wait_until(lambda: redis.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        yield port, announced


@pytest.fixture(params=["server", "server by TLS", "cluster by TLS"])
async def guarded(request: pytest.FixtureRequest, certificates: Certificates) -> AsyncIterator[Guarded]:
    """A Valkey with a password. The Valkey of these tests has no TLS, so a TLS proxy is in front of it."""
    is_cluster = request.param.startswith("cluster")
    if is_cluster:
        port, listen = request.getfixturevalue("cluster")
    else:
        port, listen = request.getfixturevalue("server"), free_port()
    if not request.param.endswith("TLS"):
        yield Guarded([f"127.0.0.1:{port}"], tls=False, authorities=None)
        return
    async with speaking_tls(certificates, listen, port):
        yield Guarded([f"127.0.0.1:{listen}"] * (1 + is_cluster), tls=True, authorities=str(certificates.authority))


@pytest.fixture
async def client(guarded: Guarded) -> AsyncIterator[Callable[..., AnyRedis]]:
    made: list[AnyRedis] = []

    def connect(**other: object) -> AnyRedis:
        made.append(guarded.connect(**other))
        return made[-1]

    yield connect
    for one in made:
        await close_redis(one)


async def test_redis_accepts_the_password(guarded: Guarded, client: Callable[..., AnyRedis]):
    redis = client()
    assert isinstance(redis, Cluster) == (len(guarded.endpoint) > 1)
    assert await redis.set("key", "value") is True
    by_name = client(redis_username="webchat", redis_password="another password")
    assert await by_name.get("key") == b"value"
    assert await by_name.acl_whoami() == "webchat"


async def test_subscriptions_use_the_same_access(client: Callable[..., AnyRedis]):
    redis = client(redis_username="webchat", redis_password="another password")
    address = await shard_of(redis, "channel")
    pushed: list[Any] = []
    connection = await connect_push(address, access_of(redis), pushed.append)
    connection.send("SSUBSCRIBE", "channel")
    await eventually(lambda: pushed == [[b"ssubscribe", b"channel", 1]])
    assert await redis.execute_command("SPUBLISH", "channel", "said") == 1
    await eventually(lambda: pushed[1:] == [[b"smessage", b"channel", b"said"]])
    connection.close()


@pytest.mark.parametrize("password", [None, "another"])
async def test_subscriptions_with_a_wrong_password_are_rejected(client: Callable[..., AnyRedis], password: str | None):
    redis = client()
    access = replace(access_of(redis), username=None, password=password)
    with pytest.raises(ResponseError, match=r"(?i)auth|password"):
        await connect_push(await shard_of(redis, "channel"), access, lambda _: None)


@pytest.mark.parametrize("wrong", [None, "another"])
async def test_redis_rejects_a_wrong_password(client: Callable[..., AnyRedis], wrong: str | None):
    with pytest.raises(REDIS_DOWN, match=r"(?i)auth|password"):
        await client(redis_password=wrong).get("key")


@pytest.mark.parametrize("guarded", ["server by TLS", "cluster by TLS"], indirect=True)
async def test_a_redis_with_a_foreign_certificate_is_rejected(client: Callable[..., AnyRedis], foreign: Certificates):
    for authorities in (str(foreign.authority), None):
        with pytest.raises(REDIS_DOWN):
            await client(redis_tls_ca=authorities).get("key")


@pytest.mark.parametrize("guarded", ["server by TLS", "cluster by TLS"], indirect=True)
async def test_subscriptions_verify_the_certificate(client: Callable[..., AnyRedis]):
    redis = client()
    with pytest.raises(SSLCertVerificationError):
        await connect_push(
            await shard_of(redis, "channel"), replace(access_of(redis), authorities=None), lambda _: None
        )


@pytest.fixture(scope="module")
def encrypted_mariadb(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[int]:
    if not mariadb_is_here():
        pytest.skip("no MariaDB on this machine: apt-get install mariadb-server")
    options = f"--ssl-cert={certificates.server}", f"--ssl-key={certificates.key}", "--require-secure-transport=ON"
    for file in (certificates.server, certificates.key):
        file.chmod(0o644)
    with mariadb(tmp_path_factory.mktemp("mariadb"), *options) as port:
        yield port


async def cipher(**chosen: object) -> str:
    """Return the cipher of a database connection, as the server reports it."""
    database = Database(settings(db_host="127.0.0.1", db_username="root", **chosen).database_url)
    try:
        async with database.read() as db:
            return str((await db.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'"))).one()[1])
    finally:
        await database.close()


@pytest.fixture
def schema() -> Callable[[int, dict[str, object]], None]:
    def create(port: int, tls: dict[str, object]) -> None:
        with pymysql.connect(host="127.0.0.1", port=port, user="root", ssl=tls) as connection:
            connection.cursor().execute("CREATE DATABASE IF NOT EXISTS webchat_rooms")

    return create


@pytest.mark.mariadb
async def test_the_database_connection_uses_tls(encrypted_mariadb: int, certificates: Certificates, schema):
    schema(encrypted_mariadb, {"ca": str(certificates.authority)})
    assert await cipher(db_port=encrypted_mariadb, db_tls_ca=certificates.authority.read_text())
    assert await cipher(db_port=encrypted_mariadb, db_tls_ca=str(certificates.authority))


@pytest.mark.mariadb
async def test_a_database_with_a_foreign_certificate_is_rejected(encrypted_mariadb: int, foreign: Certificates):
    with pytest.raises(OperationalError, match="Can't connect"):
        await cipher(db_port=encrypted_mariadb, db_tls_ca=str(foreign.authority))


@pytest.mark.mariadb
async def test_a_database_without_tls_gets_no_password(tmp_path: Path, certificates: Certificates, schema):
    if not mariadb_is_here():
        pytest.skip("no MariaDB on this machine: apt-get install mariadb-server")
    with mariadb(tmp_path, "--skip-ssl") as port:
        schema(port, {})
        assert await cipher(db_port=port) == ""
        with pytest.raises(OperationalError, match="offers no TLS"):
            await cipher(db_port=port, db_tls_ca=str(certificates.authority))


def test_a_file_without_certificates_is_rejected(tmp_path: Path):
    (tmp_path / "empty.pem").write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    for value, reason in ((tmp_path / "empty.pem", "not certificates in PEM"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(ValidationError, match=reason):
            settings(db_tls_ca=str(value))
