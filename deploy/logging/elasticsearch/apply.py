"""Apply this folder to Elasticsearch: life cycles, templates, roles, users. It only sends PUT, so it can be repeated.

ELASTICSEARCH_URL is its address, ELASTICSEARCH_USERNAME (elastic) and ELASTICSEARCH_PASSWORD_FILE are the credentials,
ELASTICSEARCH_CA_FILE verifies its certificate. The users of the senders and of Kibana get the passwords in
LOGS_WRITER_PASSWORD_FILE and KIBANA_PASSWORD_FILE, if these are set. Passwords are files, never arguments.
"""

import base64
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLACES = {
    "ilm": "/_ilm/policy",
    "component_templates": "/_component_template",
    "index_templates": "/_index_template",
    "roles": "/_security/role",
}
"""The folders in order: a template refers to its components and its life cycle."""
WRITER = "webchat_logs_writer"
ANSWERS_WITHIN_S = 30
PATIENCE_S = float(os.environ.get("ELASTICSEARCH_PATIENCE_S", "180"))
"""The time that Elasticsearch may take to start."""
RETRY_S = float(os.environ.get("ELASTICSEARCH_RETRY_S", "1"))
NOT_YET = {429, 502, 503, 504}


class FailedError(Exception):
    """A failure with a text for the user."""


def secret(setting: str) -> str | None:
    path = os.environ.get(setting)
    if not path:
        return None
    text = Path(path).read_text(encoding="utf-8").strip()
    if not text:
        raise FailedError(f"{setting}: {path} is empty")
    return text


class Elasticsearch:
    def __init__(self) -> None:
        self._url = os.environ.get("ELASTICSEARCH_URL", "").rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise FailedError("ELASTICSEARCH_URL is missing or not an http address")
        ca_file = os.environ.get("ELASTICSEARCH_CA_FILE") or None
        self._tls = ssl.create_default_context(cafile=ca_file) if self._url.startswith("https://") else None
        self._headers = {"Content-Type": "application/json"}
        if password := secret("ELASTICSEARCH_PASSWORD_FILE"):
            pair = f"{os.environ.get('ELASTICSEARCH_USERNAME', 'elastic')}:{password}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._deadline = time.monotonic() + PATIENCE_S

    def put(self, path: str, body: Any) -> None:
        """Send a PUT request, waiting while Elasticsearch starts. Raises FailedError with the reason of a rejection."""
        while (reason := self._try_put(path, json.dumps(body).encode())) is not None:
            if time.monotonic() > self._deadline:
                raise FailedError(f"{self._url} does not answer within {PATIENCE_S:.0f} s: {reason}")
            time.sleep(RETRY_S)

    def _try_put(self, path: str, body: bytes) -> str | None:
        """Send it once. Returns the reason to try again, or None on success."""
        request = urllib.request.Request(self._url + path, body, self._headers, method="PUT")  # noqa: S310 - http(s), checked above
        try:
            with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S, context=self._tls) as answer:  # noqa: S310
                answer.read()
        except urllib.error.HTTPError as refusal:
            if refusal.code in NOT_YET:
                return str(refusal.code)
            raise FailedError(f"PUT {path}: {refusal.code} {refusal.read(2_000).decode(errors='replace')}") from None
        except OSError as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                raise FailedError(f"{self._url}: {error}") from None
            return str(error)
        return None


def resources() -> Iterator[tuple[str, Any]]:
    """Return the path in Elasticsearch and the content of each file."""
    for folder, place in PLACES.items():
        for file in sorted((HERE / folder).glob("*.json")):
            yield f"{place}/{file.stem}", json.loads(file.read_text(encoding="utf-8"))


def users() -> Iterator[tuple[str, Any]]:
    if password := secret("LOGS_WRITER_PASSWORD_FILE"):
        yield f"/_security/user/{WRITER}", {"password": password, "roles": [WRITER]}
    if password := secret("KIBANA_PASSWORD_FILE"):
        yield "/_security/user/kibana_system/_password", {"password": password}


def main() -> None:
    try:
        elasticsearch = Elasticsearch()
        for path, body in [*resources(), *users()]:
            elasticsearch.put(path, body)
            print(path, flush=True)
    except (FailedError, OSError, UnicodeError) as error:
        sys.exit(f"elasticsearch: {error}")


if __name__ == "__main__":
    main()
