"""Install flow.json in a NiFi that lacks it, set its parameters, and start it. A running flow stays unchanged.

NIFI_URL is its address, NIFI_USERNAME and NIFI_PASSWORD_FILE are the credentials. NIFI_CA_FILE verifies its
certificate; without it the certificate is not verified, because NiFi creates its own at its first start.
KAFKA_BROKERS, ELASTICSEARCH_URLS and LOGS_WRITER_PASSWORD_FILE become parameters. Passwords are files, never arguments.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

FLOW_FILE = Path(__file__).resolve().with_name("flow.json")
ANSWERS_WITHIN_S = 30
PATIENCE_S = float(os.environ.get("NIFI_PATIENCE_S", "300"))
"""The time that NiFi may take to start, and then for each step."""
RETRY_S = float(os.environ.get("NIFI_RETRY_S", "1"))
NOT_YET = {409, 429, 502, 503, 504}
"""NiFi answers 409 while it starts and while an earlier step is running."""


class FailedError(Exception):
    """A failure with a text for the user."""


def secret(setting: str) -> str:
    path = os.environ.get(setting)
    if not path:
        raise FailedError(f"{setting} is not set")
    text = Path(path).read_text(encoding="utf-8").strip()
    if not text:
        raise FailedError(f"{setting}: {path} is empty")
    return text


def trust(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    if not ca_file:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class NiFi:
    def __init__(self) -> None:
        url = os.environ.get("NIFI_URL", "").rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise FailedError("NIFI_URL is missing or not an http address")
        self._url = f"{url}/nifi-api"
        self._tls = trust(os.environ.get("NIFI_CA_FILE")) if url.startswith("https://") else None
        self._headers: dict[str, str] = {}
        who = {"username": os.environ.get("NIFI_USERNAME", ""), "password": secret("NIFI_PASSWORD_FILE")}
        form = "application/x-www-form-urlencoded"
        token = self.send("POST", "/access/token", urllib.parse.urlencode(who).encode(), form)
        self._headers = {"Authorization": f"Bearer {token.decode()}"}

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self.send(method, path, data, "application/json"))

    def send(self, method: str, path: str, body: bytes | None, kind: str) -> bytes:
        """Send a request, waiting while NiFi starts. Raises FailedError with its text for a rejection."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            headers = self._headers | ({"Content-Type": kind} if body is not None else {})
            request = urllib.request.Request(self._url + path, body, headers, method=method)  # noqa: S310 - http(s), checked above
            try:
                with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S, context=self._tls) as answer:  # noqa: S310
                    return bytes(answer.read())
            except urllib.error.HTTPError as refusal:
                words = f"{refusal.code} {refusal.read(2_000).decode(errors='replace')}"
                if refusal.code not in NOT_YET:
                    raise FailedError(f"{method} {path}: {words}") from None
            except OSError as error:
                words = str(error)
            if time.monotonic() > deadline:
                raise FailedError(f"{method} {path} is not done within {PATIENCE_S:.0f} s: {words}")
            time.sleep(RETRY_S)

    def find_flow(self, name: str) -> tuple[str, dict[str, Any] | None]:
        """Return the ID of the canvas, and the process group of the flow in it."""
        canvas = self.ask("GET", "/flow/process-groups/root")["processGroupFlow"]
        groups = canvas["flow"]["processGroups"]
        return canvas["id"], next((group for group in groups if group["component"]["name"] == name), None)

    def upload(self, canvas: str, name: str) -> str:
        border = uuid.uuid4().hex
        fields = {"groupName": name, "positionX": "0", "positionY": "0", "clientId": "webchat",
                  "disconnectedNodeAcknowledged": "false"}  # fmt: skip
        form = "".join(
            f'--{border}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        )
        form += f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="flow.json"\r\n'
        form += f"Content-Type: application/json\r\n\r\n{FLOW_FILE.read_text(encoding='utf-8')}\r\n--{border}--\r\n"
        kind = f"multipart/form-data; boundary={border}"
        answer = self.send("POST", f"/process-groups/{canvas}/process-groups/upload", form.encode(), kind)
        return str(json.loads(answer)["id"])

    def set_parameters(self, context_name: str, values: dict[str, str], sensitive: set[str]) -> None:
        contexts = self.ask("GET", "/flow/parameter-contexts")["parameterContexts"]
        found = next((one for one in contexts if one["component"]["name"] == context_name), None)
        if found is None:
            raise FailedError(f"NiFi has no parameter context {context_name!r}")
        place = f"/parameter-contexts/{found['id']}/update-requests"
        parameters = [
            {"parameter": {"name": name, "sensitive": name in sensitive, "value": value}}
            for name, value in values.items()
        ]
        wish = {"revision": found["revision"], "id": found["id"],
                "component": {"id": found["id"], "name": context_name, "parameters": parameters}}  # fmt: skip
        request = self.ask("POST", place, wish)["request"]
        own = f"{place}/{request['requestId']}"
        deadline = time.monotonic() + PATIENCE_S
        while not request["complete"]:
            if time.monotonic() > deadline:
                raise FailedError(f"the parameters are not set within {PATIENCE_S:.0f} s")
            time.sleep(RETRY_S)
            request = self.ask("GET", own)["request"]
        self.ask("DELETE", own)
        if request.get("failureReason"):
            raise FailedError(f"the parameters were rejected: {request['failureReason']}")

    def start(self, group: str) -> None:
        wish = {"id": group, "disconnectedNodeAcknowledged": False}
        services = f"/flow/process-groups/{group}/controller-services"
        self.ask("PUT", services, wish | {"state": "ENABLED"})
        deadline = time.monotonic() + PATIENCE_S
        while off := [one["component"]["name"] for one in self.ask("GET", services)["controllerServices"]
                      if one["component"]["state"] != "ENABLED"]:  # fmt: skip
            if time.monotonic() > deadline:
                raise FailedError(f"not enabled within {PATIENCE_S:.0f} s: {', '.join(off)}")
            time.sleep(RETRY_S)
        self.ask("PUT", f"/flow/process-groups/{group}", wish | {"state": "RUNNING"})


def main() -> None:
    flow = json.loads(FLOW_FILE.read_text(encoding="utf-8"))
    name = flow["flowContents"]["name"]
    (context,) = flow["parameterContexts"].values()
    sensitive = {one["name"] for one in context["parameters"] if one["sensitive"]}
    given = {
        "kafka.brokers": os.environ.get("KAFKA_BROKERS"),
        "elasticsearch.urls": os.environ.get("ELASTICSEARCH_URLS"),
    }
    values = {key: value for key, value in given.items() if value}
    try:
        values["elasticsearch.password"] = secret("LOGS_WRITER_PASSWORD_FILE")
        nifi = NiFi()
        canvas, found = nifi.find_flow(name)
        if found and found["runningCount"]:
            print(f"{name} is already running")
            return
        group = found["id"] if found else nifi.upload(canvas, name)
        nifi.set_parameters(context["name"], values, sensitive)
        nifi.start(group)
        print(f"{name} is started" if found else f"{name} is installed and started")
    except (FailedError, OSError, UnicodeError) as error:
        sys.exit(f"nifi: {error}")


if __name__ == "__main__":
    main()
