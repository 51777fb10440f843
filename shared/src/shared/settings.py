"""Settings of every service, from environment variables or secret files (`/run/secrets/<name in lower case>`).

An invalid or missing value ends the process with one line that names the variable.
"""

import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from sqlalchemy import URL

SERVICES = ("auth", "social", "rooms", "media", "chat-gateway")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split)]
SecretList = Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)]


def _certificates(value: str) -> str:
    if "-----BEGIN" not in value:
        try:
            value = Path(value).read_text()
        except OSError as error:
            raise ValueError(f"{value} cannot be read: {error.strerror}") from error
    try:
        ssl.create_default_context(cadata=value)
    except ssl.SSLError as error:
        raise ValueError("these are not certificates in PEM") from error
    return value


Certificates = Annotated[str, AfterValidator(_certificates)]
"""Certificates in PEM, or the path of a file with them."""


class ProcessSettings(BaseSettings):
    """Settings of every process: where it listens and how it logs."""

    service: ClassVar[str]

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    listen_host: str = "127.0.0.1"
    listen_port: int = Field(default=8000, ge=1, le=65535)
    debug: bool = False
    log_key: SecretStr = Field(default_factory=lambda: SecretStr(token_hex(32)))
    """Key of the hashes that replace user ids in logs."""
    audit_log: Path | None = None
    """A file for the audit trail. Without it, audit lines are written to the log."""

    @classmethod
    def load(cls) -> Self:
        """Read the environment, `<SERVICE>_DB_USERNAME` before `DB_USERNAME`; exit with one line if it is wrong."""
        prefix = cls.service.replace("-", "_").upper()
        secrets = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
        own: dict[str, Any] = dict(_own_values(prefix, secrets))
        if secrets.is_dir():
            own["_secrets_dir"] = secrets
        try:
            return cls(**own)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            variable = str(first["loc"][0]).upper() if first["loc"] else "settings"
            if variable == "SERVICE_SECRET":
                variable = f"{prefix}_SERVICE_SECRET"
            sys.exit(f"{cls.service}: {variable}: {first['msg']} (see .env.example)")


class WebSettings(ProcessSettings):
    """Settings of a process with an application (`shared.web.app`), and the addresses of the services."""

    trace_sample: float = Field(default=0.001, ge=0, le=1)
    """The share of requests and commands that are sampled for tracing. It must be the same in all services."""
    otel_exporter_otlp_endpoint: str = ""
    otel_exporter_otlp_headers: SecretStr = SecretStr("")
    metrics: bool = True
    """Collect metrics and serve `/metrics`."""
    shed_hints_at: float = Field(default=0.25, gt=0)
    shed_history_at: float = Field(default=0.75, gt=0)
    """Loads from which ephemeral messages (typing, presence) are shed, and from which history is shed."""
    backend_cors_origins: CommaList = []

    auth_url: str = "http://127.0.0.1:8001"
    social_url: str = "http://127.0.0.1:8002"
    rooms_url: str = "http://127.0.0.1:8003"
    media_url: str = "http://127.0.0.1:8004"


class Settings(WebSettings):
    """Settings common to the five services. Each service adds its own in its `settings.py`."""

    webchat_data: Path = Path(".webchat")
    rate_limits: bool = True

    db_host: str | None = None
    db_port: int = Field(default=3306, ge=1, le=65535)
    db_name: str = Field(default="webchat", pattern=r"^[a-z][a-z0-9_]*$")
    db_username: str = "webchat"
    db_password: SecretStr = SecretStr("")
    db_tls_ca: Certificates | None = None
    """If set, connections use TLS, and the server's certificate must be from these authorities."""
    db_pool_size: int = Field(default=8, ge=2, le=200)
    """At least two, because a migration holds a lock on one connection."""

    redis_endpoint: CommaList = ["127.0.0.1:6379"]
    redis_database: int = Field(default=0, ge=0)
    redis_username: str | None = None
    redis_password: SecretStr | None = None
    redis_tls: bool = False
    redis_tls_ca: Certificates | None = None
    """Trusted in addition to the system's authorities."""

    service_secret: SecretStr

    @field_validator("service_secret", mode="after")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("give at least 32 random characters")
        return value

    @property
    def database_url(self) -> "URL":
        """URL of MySQL or MariaDB if `DB_HOST` is set (schema `<DB_NAME>_<service>`), or else of an SQLite file."""
        from sqlalchemy import URL  # noqa: PLC0415 - heavy, and the gateway needs no database

        if self.db_host is None:
            folder = self.webchat_data / "db"
            folder.mkdir(parents=True, exist_ok=True)
            return URL.create("sqlite+aiosqlite", database=str(folder / f"{self.service}.sqlite3"))
        return URL.create(
            "mysql+aiomysql",
            username=self.db_username,
            password=self.db_password.get_secret_value(),
            host=self.db_host,
            port=self.db_port,
            database=f"{self.db_name}_{self.service.replace('-', '_')}",
            query={"charset": "utf8mb4"} | ({"ssl_ca": self.db_tls_ca} if self.db_tls_ca else {}),
        )


def _own_values(prefix: str, secrets: Path) -> Iterator[tuple[str, str]]:
    """Yield the values of settings that are set for this service only."""
    for name in ("db_username", "db_password", "service_secret"):
        variable = f"{prefix}_{name.upper()}"
        file = secrets / variable.lower()
        if variable in os.environ:
            yield name, os.environ[variable]
        elif file.is_file():
            yield name, file.read_text().strip()
