"""Apply this folder to Kibana: data views, dashboards, rules, and a role for viewers. It can be repeated.

KIBANA_URL is its address, ELASTICSEARCH_USERNAME (elastic) and ELASTICSEARCH_PASSWORD_FILE are the credentials; rules
run with the rights of that user. Passwords are files, never arguments.
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ANSWERS_WITHIN_S = 60
PATIENCE_S = float(os.environ.get("KIBANA_PATIENCE_S", "300"))
RETRY_S = float(os.environ.get("KIBANA_RETRY_S", "1"))
NOT_YET = {429, 502, 503, 504}
VIEWER = "webchat_dashboards"
"""The role for viewing dashboards. The roles in ../elasticsearch/roles control which lines a user sees."""


class FailedError(Exception):
    """A failure with a text for the user."""


class Kibana:
    def __init__(self) -> None:
        self._url = os.environ.get("KIBANA_URL", "").rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise FailedError("KIBANA_URL is missing or not an http address")
        path = os.environ.get("ELASTICSEARCH_PASSWORD_FILE")
        password = Path(path).read_text(encoding="utf-8").strip() if path else ""
        if not password:
            raise FailedError("ELASTICSEARCH_PASSWORD_FILE does not name a file with a password")
        pair = f"{os.environ.get('ELASTICSEARCH_USERNAME', 'elastic')}:{password}"
        self._headers = {"kbn-xsrf": "webchat", "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        self._deadline = time.monotonic() + PATIENCE_S

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return self.send(method, path, data, "application/json")

    def send(self, method: str, path: str, body: bytes | None, kind: str) -> Any:
        """Send a request, waiting while Kibana starts. Returns None for 404. Raises FailedError for a rejection."""
        while True:
            headers = self._headers | ({"Content-Type": kind} if body is not None else {})
            request = urllib.request.Request(self._url + path, body, headers, method=method)  # noqa: S310 - http(s), checked above
            try:
                with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as answer:  # noqa: S310
                    text = answer.read()
                    return json.loads(text) if text else {}
            except urllib.error.HTTPError as refusal:
                words = f"{refusal.code} {refusal.read(2_000).decode(errors='replace')}"
                if method == "GET" and refusal.code == 404:
                    return None
                if refusal.code not in NOT_YET:
                    raise FailedError(f"{method} {path}: {words}") from None
            except OSError as error:
                words = str(error)
            if time.monotonic() > self._deadline:
                raise FailedError(f"{self._url} does not answer within {PATIENCE_S:.0f} s: {words}")
            time.sleep(RETRY_S)

    def import_objects(self, file: Path) -> int:
        border = uuid.uuid4().hex
        form = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
        form += f"Content-Type: application/ndjson\r\n\r\n{file.read_text(encoding='utf-8')}\r\n--{border}--\r\n"
        kind = f"multipart/form-data; boundary={border}"
        answer = self.send("POST", "/api/saved_objects/_import?overwrite=true", form.encode(), kind)
        if not answer["success"]:
            raise FailedError(f"{file.name}: {json.dumps(answer.get('errors'))[:2_000]}")
        return int(answer["successCount"])

    def put_rule(
        self,
        id: str,  # noqa: A002 - the name of the field in the file
        rule: dict[str, Any],
    ) -> None:
        """Create or update a rule. `enabled` applies only to new rules, so a rule that was disabled stays so."""
        path = f"/api/alerting/rule/{id}"
        if self.ask("GET", path) is None:
            self.ask("POST", path, rule)
        else:
            fixed = {"rule_type_id", "consumer", "enabled"}
            self.ask("PUT", path, {key: value for key, value in rule.items() if key not in fixed})


def main() -> None:
    try:
        kibana = Kibana()
        print(kibana.import_objects(HERE / "saved_objects.ndjson"), "objects", flush=True)
        for file in sorted((HERE / "rules").glob("*.json")):
            kibana.put_rule(**json.loads(file.read_text(encoding="utf-8")))
            print("rule", file.stem, flush=True)
        sees = {"base": ["read"], "feature": {}, "spaces": ["default"]}
        kibana.ask(
            "PUT", f"/api/security/role/{VIEWER}", {"elasticsearch": {"cluster": [], "indices": []}, "kibana": [sees]}
        )
        print("role", VIEWER, flush=True)
    except (FailedError, OSError, UnicodeError) as error:
        sys.exit(f"kibana: {error}")


if __name__ == "__main__":
    main()
