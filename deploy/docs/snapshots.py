"""Write the documents generated from the code: OpenAPI of all services in one, AsyncAPI, golden events and folds.

`python deploy/docs/snapshots.py` writes them under docs/. With `--check` it lists those that differ and exits with 1.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from golden import golden_events, golden_folds

from chat_gateway.protocol.asyncapi import asyncapi_document
from shared import VERSION

DOCS = Path(__file__).parents[2] / "docs"
SERVICES = {
    "auth": "Auth",
    "social": "Social",
    "rooms": "Rooms",
    "media": "Media",
    "chat-gateway": "Gateway",
    "ops": "Ops",
}
"""The services and ops, with the prefix of their settings class."""
SECRET = "a placeholder, no server starts with it"  # noqa: S105
SECRETS = dict.fromkeys(
    (
        "service_secret",
        "session_secret_key",
        "social_service_secret",
        "rooms_service_secret",
        "media_service_secret",
        "chat_gateway_service_secret",
    ),
    SECRET,
)


def openapi_of(service: str) -> dict[str, Any]:
    package = service.replace("-", "_")
    settings = importlib.import_module(f"{package}.settings")
    main = importlib.import_module(f"{package}.main")
    cls = getattr(settings, f"{SERVICES[service]}Settings")
    document: dict[str, Any] = main.create_app(cls(_env_file=None, **SECRETS)).openapi()
    return document


def public_part(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with public paths only, those under /api."""
    return document | {"paths": {path: item for path, item in document["paths"].items() if path.startswith("/api/")}}


def merged(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Merge the documents. Different schemas with the same name get the service's name as a prefix."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for service, document in documents.items():
        text = json.dumps(document)
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            if name in schemas and schemas[name] != schema:
                text = text.replace(
                    f'"#/components/schemas/{name}"', f'"#/components/schemas/{SERVICES[service]}{name}"'
                )
                text = text.replace(f'"{name}": ', f'"{SERVICES[service]}{name}": ')
        renamed = json.loads(text)
        schemas |= renamed.get("components", {}).get("schemas", {})
        for path, item in renamed["paths"].items():
            paths[path] = {method: operation | {"tags": [service]} for method, operation in item.items()}
    info = {"title": "WebChat", "version": VERSION, "description": "The HTTP API of all services behind one address."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def documents() -> dict[Path, Any]:
    """Return every document by its path."""
    apis = {service: public_part(openapi_of(service)) for service in SERVICES}
    prose = (DOCS / "protocol" / "README.md").read_text().partition("\n\n")[2].partition("\n## ")[0].strip()
    return {
        DOCS / "api" / "openapi.json": merged(apis),
        DOCS / "protocol" / "asyncapi.json": asyncapi_document(VERSION, prose),
        DOCS / "protocol" / "events.json": golden_events(),
        DOCS / "protocol" / "transcripts" / "fold.json": golden_folds(),
    }


def main() -> int:
    made = {path: json.dumps(value, indent=1, ensure_ascii=False) + "\n" for path, value in documents().items()}
    changed = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        for path in changed:
            print(f"{path.relative_to(DOCS.parent)} differs from the code: run `make docs` and check the difference")
        return 1 if changed else 0
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
        print(f"wrote {path.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
