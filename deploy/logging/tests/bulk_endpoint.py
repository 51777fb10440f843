"""A stand-in for Elasticsearch's `_bulk`.

It creates each ID once, in data streams that one of our templates covers, and checks every document against that
template's mappings. Tests order faults.
"""

import base64
import fnmatch
import ipaddress
import json
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "elasticsearch"
BUSY = {"type": "es_rejected_execution_exception", "reason": "rejected execution of coordinating operation"}


def load(file: Path) -> Any:
    return json.loads(file.read_text())


def flatten(document: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten to dotted names: Elasticsearch treats nested and dotted names alike."""
    for name, value in document.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{before}{name}.")
        else:
            yield before + name, value


class Template:
    def __init__(self, file: Path) -> None:
        body = load(file)
        self.patterns, self.priority = body["index_patterns"], body["priority"]
        self.fields: dict[str, Any] = {}
        for part in body["composed_of"]:
            mappings = load(FOLDER / "component_templates" / f"{part}.json")["template"].get("mappings", {})
            self.fields |= dict(self._fields(mappings.get("properties", {})))

    def _fields(self, properties: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
        for name, field in properties.items():
            if "properties" in field:
                yield from self._fields(field["properties"], f"{before}{name}.")
            else:
                yield before + name, field

    def faults(self, document: dict[str, Any]) -> list[str]:
        """Return the problems of a document: fields that would not be indexed or not stored."""
        values = dict(flatten(document))
        unmapped = [f"{name} is not mapped" for name in values.keys() - self.fields.keys()]
        unfit = [
            f"{name}: {value!r} does not fit {self.fields[name]}"
            for name, value in values.items()
            if name in self.fields
            for one in (value if isinstance(value, list) else [value])
            if not fits(one, self.fields[name])
        ]
        return unmapped + unfit + ([] if "@timestamp" in values else ["@timestamp is missing"])


def fits(value: Any, field: dict[str, Any]) -> bool:
    match field["type"]:
        case "keyword":
            return isinstance(value, str) and (not field.get("index", True) or len(value) <= field["ignore_above"])
        case "constant_keyword":
            return isinstance(value, str) and value == field.get("value", value)
        case "match_only_text":
            return isinstance(value, str)
        case "long":
            return type(value) is int
        case "double":
            return type(value) in {int, float}
        case "boolean":
            return type(value) is bool
        case "date":
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        case "ip":
            return isinstance(value, str) and bool(ipaddress.ip_address(value))
    return False


class BulkEndpoint:
    """`stored` has the documents by stream and ID, `repeats` counts repeated IDs, `faults` lists invalid documents."""

    def __init__(self, password: str) -> None:
        allowed = "Basic " + base64.b64encode(f"webchat_logs_writer:{password}".encode()).decode()
        self.templates = sorted(map(Template, (FOLDER / "index_templates").glob("*.json")), key=lambda t: -t.priority)
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.repeats: Counter[str] = Counter()
        self.faults: list[str] = []
        self.met: Counter[str] = Counter()
        self._ordered: deque[str] = deque()
        self._changed = threading.Condition()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                with suppress(ConnectionError):  # the gate closes connections of failed requests
                    super().handle()

            def do_GET(self) -> None:
                self.answer(200, {"status": "green"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.headers["Authorization"] == allowed:
                    endpoint.serve(self, body)
                else:
                    self.answer(401, {"error": {"type": "security_exception"}, "status": 401})

            def answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def order(self, *faults: str) -> None:
        """Order faults for the next requests, one each; earlier orders are dropped.

        429 and 503 reject the whole request, `items` some documents, `cut` closes the connection without an answer.
        """
        with self._changed:
            self._ordered = deque(faults)

    def wait_for(self, count: int, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.stored) >= count, timeout_s)

    def wait_until_met(self, fault: str, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.met[fault] > 0, timeout_s)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler: Any, body: str) -> None:
        with self._changed:
            fault = self._ordered.popleft() if self._ordered else ""
            if fault:
                self.met[fault] += 1
            refused = fault in {"429", "503"}
            items = [] if refused else self._take(body.split("\n"), fault)
            self._changed.notify_all()
        if refused:
            handler.answer(int(fault), {"error": BUSY, "status": int(fault)})
        elif fault == "cut":
            handler.close_connection = True
        else:
            handler.answer(200, {"errors": any("error" in item["create"] for item in items), "items": items})

    def _take(self, lines: list[str], fault: str) -> list[dict[str, Any]]:
        assert lines.pop() == "", "the body ends with a newline"
        items = []
        for number, (action, line) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            meta = json.loads(action)["create"]
            late = fault == "items" and number % 3 == 0
            status, error = (503 if number % 2 else 429, BUSY) if late else self._create(meta, line)
            result = {"_index": meta["_index"], "_id": meta["_id"], "status": status}
            items.append({"create": result | ({"error": error} if error else {})})
        return items

    def _create(self, meta: dict[str, str], line: str) -> tuple[int, dict[str, str] | None]:
        place, document = (meta["_index"], meta["_id"]), json.loads(line)
        if place in self.stored:
            self.repeats[meta["_id"]] += 1
            return 409, {"type": "version_conflict_engine_exception", "reason": "document already exists"}
        if document.get("message") == "REFUSE":
            return 400, {"type": "document_parsing_exception", "reason": "as ordered"}
        self.stored[place] = document
        covering = [t for t in self.templates if any(fnmatch.fnmatch(meta["_index"], p) for p in t.patterns)]
        found = covering[0].faults(document) if covering else [f"no template for {meta['_index']}"]
        self.faults += [f"{meta['_id']}: {fault}" for fault in found]
        return 201, None
