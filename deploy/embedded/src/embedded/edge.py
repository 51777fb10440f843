"""nginx: its configuration written from the templates that containers use too, and the part that runs it."""

import os
import re
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from embedded import probes
from embedded.parts import GATEWAYS, SERVICES, Part, Stack
from embedded.settings import CHECKOUT
from shared import VERSION

NGINX = CHECKOUT / "deploy" / "nginx"
PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def nginx_part(stack: Stack) -> Part:
    """Write the configuration and describe the process."""
    state = stack.folder.run / "nginx"
    _write_configuration(state, _values(stack, state))
    # Root's workers would become nobody, who cannot read the person's checkout.
    user = "user root; " if os.geteuid() == 0 else ""
    return Part(
        name="nginx",
        group="edge",
        port=stack.settings.port,
        command=(str(stack.settings.nginx), "-p", str(state), "-c", str(state / "nginx.conf"), "-e", "stderr",
                 "-g", f"{user}daemon off;"),
        environment=stack.basics,
        is_ready=probes.serves_api,
        stop_seconds=1,
        log=stack.folder.foreign_logs / "nginx.log",
    )  # fmt: skip


def _values(stack: Stack, state: Path) -> dict[str, str]:
    processes = (*SERVICES, *GATEWAYS)
    ports = {f"{name.replace('-', '_').upper()}_PORT": str(stack.ports[name]) for name in processes}
    return (
        ports
        | _limits(stack.settings.environment)
        | {
            "NGINX_WORKERS": "1",
            "NGINX_LISTEN": f"127.0.0.1:{stack.settings.port}",
            "NGINX_STATE": str(state),
            "NGINX_ACCESS_LOG": "/dev/stdout",
            "WEBCHAT_VERSION": VERSION,
            "WEBCHAT_HTML": str(NGINX / "html"),
            "WEBCHAT_CLIENT": str(stack.settings.client),
            "WEBCHAT_MEDIA_ORIGINS": media_origins(stack.settings.environment),
            "WEBCHAT_API_DOCUMENTS": str(CHECKOUT / "docs"),
            "SWAGGER_UI": str(_swagger_ui()),
        }
    )


def _limits(environment: Mapping[str, str]) -> dict[str, str]:
    defaults = dotenv_values(NGINX / "defaults.env")
    return {name: environment.get(name, default or "") for name, default in defaults.items()}


def media_origins(environment: Mapping[str, str]) -> str:
    """Where browsers fetch files other than from here; the pages' policy names it."""
    addresses = [urlsplit(environment[name]) for name in ("S3_PUBLIC_URL", "AWS_CDN_URL") if name in environment]
    return " ".join(f"{address.scheme}://{address.netloc}" for address in addresses)


def _swagger_ui() -> Path:
    """The static files of a package that exists to carry them; its code is not imported."""
    package = find_spec("fastapi_offline")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "static"


def _write_configuration(state: Path, values: Mapping[str, str]) -> None:
    """All files anew: what an earlier version left is not read."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(mode=0o700)
    for folder in ("templates", "embedded"):
        for template in (NGINX / folder).glob("*.template"):
            (state / template.stem).write_text(_fill(template, values))


def _fill(template: Path, values: Mapping[str, str]) -> str:
    """Replace `${NAME}` like envsubst; nginx's own variables are in small letters and stay."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template.read_text())
