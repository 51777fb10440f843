"""The resources for Elasticsearch: every field of a line is mapped, and apply.py puts all of them in order."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

LOGGING = Path(__file__).parents[1]
FOLDER = LOGGING / "elasticsearch"
SCHEMA = json.loads((LOGGING.parents[1] / "docs" / "logs" / "line.schema.json").read_text())
FITTING = {
    "integer": {"long"},
    "number": {"double"},
    "string": {"keyword", "match_only_text", "ip", "date"},
    "array": {"keyword"},
    "boolean": {"boolean"},
}
OF_THE_SHIPPER = {
    "event.id", "event.original", "host.name", "log.file.path", "log.offset", "log.flags",
    "data_stream.type", "data_stream.dataset", "data_stream.namespace",
}  # fmt: skip
POLICIES = {"logs-webchat": "webchat-logs", "logs-webchat.audit": "webchat-audit", "logs-kafka": "kafka-logs"}


def load(path: str) -> Any:
    return json.loads((FOLDER / f"{path}.json").read_text())


def flatten(properties: dict[str, Any], before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from flatten(field["properties"], f"{before}{name}.")
        else:
            yield before + name, field


@pytest.fixture(scope="module")
def mapped() -> dict[str, dict[str, Any]]:
    mappings = load("component_templates/webchat-logs-mappings")["template"]["mappings"]
    assert mappings["dynamic"] is False
    return dict(flatten(mappings["properties"]))


def test_each_field_of_a_line_is_mapped(mapped: dict[str, Any]):
    missing = SCHEMA["properties"].keys() - mapped.keys()
    assert not missing, f"docs/logs has fields that webchat-logs-mappings.json lacks: {sorted(missing)}"
    assert mapped.keys() - SCHEMA["properties"].keys() == OF_THE_SHIPPER


@pytest.mark.parametrize("name", SCHEMA["properties"])
def test_a_field_has_room_for_its_longest_value(mapped: dict[str, Any], name: str):
    said, field = SCHEMA["properties"][name], mapped[name]
    kinds = said.get("type", "string")
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        assert field["type"] in FITTING[kind]
    if field["type"] == "keyword":
        assert field["ignore_above"] >= said.get("maxLength", 1)
        assert field["ignore_above"] <= 8191  # Lucene's terms have 32,766 bytes


def test_templates_use_components_of_this_folder():
    for name, policy in POLICIES.items():
        template = load(f"index_templates/{name}")
        assert template["data_stream"] == {}
        assert template["template"]["settings"]["index"]["lifecycle"]["name"] == policy
        assert load(f"ilm/{policy}")["policy"]["phases"].keys() == {"hot", "delete"}
        for part in template["composed_of"]:
            assert load(f"component_templates/{part}")["template"]
    assert {file.stem for file in (FOLDER / "index_templates").iterdir()} == POLICIES.keys()


def test_the_audit_trail_is_separate():
    everything, audit = load("index_templates/logs-webchat"), load("index_templates/logs-webchat.audit")
    assert audit["index_patterns"] == ["logs-webchat.audit-default"]
    assert audit["priority"] > everything["priority"]
    (readable,) = load("roles/webchat_logs_reader")["indices"]
    assert not any("audit" in name or name.startswith("logs-webchat.*") for name in readable["names"])
    (writable,) = load("roles/webchat_logs_writer")["indices"]
    assert writable["privileges"] == ["create_doc", "auto_configure"]


class Recorder(BaseHTTPRequestHandler):
    """A recording server whose first answer is 503, as while starting."""

    puts: list[tuple[str, Any]]
    refusing: str | None

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.puts.append((self.path, body))
        status = 503 if len(self.puts) == 1 else 400 if self.path == self.refusing else 200
        status = status if self.headers["Authorization"] == "Basic ZWxhc3RpYzpzZWNyZXQ=" else 401
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"acknowledged": true}' if status == 200 else b'{"error": "mapper_parsing_exception"}')

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[tuple[type[Recorder], str]]:
    recorder = type("One", (Recorder,), {"puts": [], "refusing": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), recorder) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield recorder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def apply(url: str, tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    secrets = {"ELASTICSEARCH_PASSWORD_FILE": "secret\n", "LOGS_WRITER_PASSWORD_FILE": "of the writer\n"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
    files = {name: str(tmp_path / name) for name in secrets}
    env = {**os.environ, **files, "ELASTICSEARCH_URL": url, "ELASTICSEARCH_RETRY_S": "0.02", **settings}
    script = [sys.executable, "-P", str(FOLDER / "apply.py")]
    return subprocess.run(script, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_everything_is_put_in_order_once_it_answers(server: tuple[type[Recorder], str], tmp_path: Path):
    recorder, url = server
    done = apply(url, tmp_path)
    assert done.returncode == 0, done.stderr
    paths = [path for path, _ in recorder.puts]
    assert paths[0] == paths[1], "the first answer was 503"
    names = [Path(path) for path in paths[1:-1]]
    files = sorted(FOLDER.glob("*/*.json"), key=lambda file: [str(name.name) for name in names].index(file.stem))
    assert [name.name for name in names] == [file.stem for file in files]
    assert [body for _, body in recorder.puts[1:-1]] == [json.loads(file.read_text()) for file in files]
    parts = [str(name.parent) for name in names]
    assert parts == sorted(
        parts, key=["/_ilm/policy", "/_component_template", "/_index_template", "/_security/role"].index
    )
    user = {"password": "of the writer", "roles": ["webchat_logs_writer"]}
    assert recorder.puts[-1] == ("/_security/user/webchat_logs_writer", user)
    assert "of the writer" not in done.stdout + done.stderr


def test_a_rejection_is_reported_with_elasticsearchs_text(server: tuple[type[Recorder], str], tmp_path: Path):
    recorder, url = server
    recorder.refusing = "/_index_template/logs-kafka"
    done = apply(url, tmp_path)
    assert done.returncode == 1
    assert "logs-kafka: 400" in done.stderr
    assert "mapper_parsing_exception" in done.stderr
    assert recorder.puts[-1][0] == recorder.refusing


def test_an_unreachable_server_is_reported(tmp_path: Path):
    done = apply("http://127.0.0.1:1", tmp_path, ELASTICSEARCH_PATIENCE_S="0")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
