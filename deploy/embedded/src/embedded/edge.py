"""nginx: its configuration, rendered from the templates that the containers use too, and its program."""

import os
import re
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from embedded import probes
from embedded.programs import SERVICES, Program, Stack
from embedded.settings import CHECKOUT
from shared import VERSION

NGINX = CHECKOUT / "deploy" / "nginx"
PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def nginx_program(stack: Stack) -> Program:
    """Write the configuration and return the program that uses it."""
    state = stack.folder.run / "nginx"
    _write_configuration(state, _values(stack, state))
    # Started by root, the workers would run as `nobody`, who cannot read the checkout.
    user = "user root; " if os.geteuid() == 0 else ""
    return Program(
        name="nginx",
        group="edge",
        port=stack.settings.port,
        command=(str(stack.settings.nginx), "-p", str(state), "-c", str(state / "nginx.conf"), "-e", "stderr",
                 "-g", f"{user}daemon off;"),
        environment=stack.basics,
        is_ready=probes.serves_api,
        stop_seconds=1,
        log=stack.folder.third_party_logs / "nginx.log",
    )  # fmt: skip


def _values(stack: Stack, state: Path) -> dict[str, str]:
    ports = {f"{name.upper()}_PORT": str(stack.ports[name]) for name in (*SERVICES, "ops")}
    return (
        ports
        | _limits(stack.settings.environment)
        | {
            "NGINX_WORKERS": "1",
            "NGINX_LISTEN": f"127.0.0.1:{stack.settings.port}",
            "NGINX_STATE": str(state),
            "CHAT_GATEWAY_SERVERS": _gateway_servers(stack),
            "NGINX_ACCESS_LOG": "/dev/stdout",
            "WEBCHAT_VERSION": VERSION,
            "WEBCHAT_HTML": str(NGINX / "html"),
            "WEBCHAT_CLIENT": str(stack.settings.client),
            "WEBCHAT_MEDIA_ORIGINS": media_origins(stack.settings.environment),
            "WEBCHAT_API_DOCUMENTS": str(CHECKOUT / "docs"),
            "SWAGGER_UI": str(_swagger_ui()),
        }
    )


def _gateway_servers(stack: Stack) -> str:
    """Return the lines of nginx's upstream group of gateways, one for each process.

    A gateway that is down refuses connections at once, and nginx tries another. `max_fails=0` keeps it in rotation:
    when all were set aside, nginx answered "no live upstreams" as long as clients kept reconnecting.
    """
    return "\n    ".join(f"server 127.0.0.1:{stack.ports[name]} max_fails=0;" for name in stack.gateways)


def _limits(environment: Mapping[str, str]) -> dict[str, str]:
    defaults = dotenv_values(NGINX / "defaults.env")
    return {name: environment.get(name, default or "") for name, default in defaults.items()}


def media_origins(environment: Mapping[str, str]) -> str:
    """Return the other origins from which browsers load files, for the pages' Content-Security-Policy."""
    addresses = [urlsplit(environment[name]) for name in ("S3_PUBLIC_URL", "AWS_CDN_URL") if name in environment]
    return " ".join(f"{address.scheme}://{address.netloc}" for address in addresses)


def _swagger_ui() -> Path:
    """Return the folder with Swagger UI. It comes with a package whose code is not imported."""
    package = find_spec("fastapi_offline")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "static"


def _write_configuration(state: Path, values: Mapping[str, str]) -> None:
    """Write all files into an empty folder, so that nginx reads none of an earlier version."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(mode=0o700)
    for folder in ("templates", "embedded"):
        for template in (NGINX / folder).glob("*.template"):
            (state / template.stem).write_text(_fill(template, values))


def _fill(template: Path, values: Mapping[str, str]) -> str:
    """Replace `${NAME}` like envsubst. nginx's own variables are lower case and stay."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template.read_text())
