"""The light pipeline with its shipped configuration.

Real rsyslogs and the gate run between real log lines, a Kafka of two brokers, and a bulk endpoint that checks our
templates. Failures may delay and repeat lines, but lose none.
"""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bulk_endpoint import BulkEndpoint
from confluent_kafka import Producer
from jsonschema import Draft202012Validator
from light import LOGGING, TOPIC, Helper, Kafka, Pipeline, Role, needs_rsyslog, running
from processes import wait_until

SCHEMA = Draft202012Validator(json.loads((LOGGING.parents[1] / "docs" / "logs" / "line.schema.json").read_text()))
ADDED = {"event.id", "host.name", "log.file.path", "log.offset", "data_stream.type", "data_stream.dataset",
         "data_stream.namespace"}  # fmt: skip
SERVICES, NGINX, RUNNER, AUDIT = (f"logs-webchat.{name}-default" for name in ("services", "nginx", "runner", "audit"))
ARRIVES_WITHIN_S = 60
PASSWORD = "$HOME's"
MIDDLE = 1000
"""Enough lines that some are still in flight when a role is stopped."""
ACCESS: dict[str, Any] = {
    "@timestamp": "2026-11-25T01:00:00.123+00:00", "log.level": "info", "message": "GET /rooms 200",
    "service.name": "nginx", "service.version": "0.1.0", "event.dataset": "nginx.access",
    "trace.id": "0af7651916cd43dd8448eb211c80319c", "span.id": "b7ad6b7169203331", "user.id": "",
    "http.request.method": "GET", "url.path": "/rooms", "http.version": "1.1", "http.response.status_code": 200,
    "http.response.body.bytes": 0, "client.ip": "203.0.113.7", "user_agent.original": "", "nginx.request_time": 0.005,
    "nginx.upstream.address": "127.0.0.1:8000", "nginx.upstream.status": "200", "nginx.upstream.response_time": "0.004",
}  # fmt: skip
SIGNED_IN = {
    "@timestamp": "2026-11-25T01:00:00.456+00:00", "log.level": "info", "message": "signed in",
    "service.name": "auth", "service.version": "0.1.0", "event.dataset": "webchat.audit", "log.logger": "auth.audit",
    "event.kind": "event", "event.category": ["authentication"], "event.type": ["start"], "event.action": "sign-in",
    "event.outcome": "success", "user.id": "0123456789abcdef",
}  # fmt: skip
STARTED = {
    "@timestamp": "2026-11-25T01:00:00.789+00:00", "log.level": "info", "message": "started", "service.name": "runner",
    "service.version": "0.1.0", "event.dataset": "webchat.runner", "log.logger": "embedded",
}  # fmt: skip

pytestmark = [needs_rsyslog, pytest.mark.timeout(240)]


def in_one_line(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"


class Run:
    """The pipeline, the lines written into it, and the documents that arrived."""

    def __init__(self, pipeline: Pipeline, kafka: Kafka, endpoint: BulkEndpoint, writer: Helper) -> None:
        self.pipeline, self.kafka, self.endpoint, self._writer = pipeline, kafka, endpoint, writer
        self.files = [pipeline.logs / name for name in ("auth.log", "runner.log", "audit/auth.log", "parts/nginx.log")]
        self.fewer = 0
        """Lines in `files` that become no document."""
        self.sent_again = 0
        """Number of events so far that may repeat lines."""
        self._checked: dict[Path, int] = {}

    def write(self, count: int) -> None:
        assert self._writer.send(str(count)) == "written"

    def append(self, name: str, *lines: str) -> int:
        """Append lines, and return the offset of the first one in the file."""
        with (self.pipeline.logs / name).open("a") as file:
            offset = file.tell()
            file.writelines(lines)
        return offset

    def lines(self) -> Iterator[tuple[Path, int, str]]:
        """Yield the file, offset and text of each line that was written."""
        for file in self.files:
            offset = 0
            for line in file.read_bytes().splitlines(keepends=True) if file.exists() else ():
                yield file, offset, line.decode().rstrip("\n")
                offset += len(line)

    def expected(self) -> int:
        return sum(1 for _ in self.lines()) - self.fewer

    def all_arrive(self) -> bool:
        """Wait for all lines, and check that each arrived unchanged and once."""
        arrived = self.endpoint.wait_for(self.expected(), ARRIVES_WITHIN_S)
        if arrived:
            self._check()
        return arrived

    def _check(self) -> None:
        """Check the lines written since the last check."""
        stored = dict(self.endpoint.stored)
        documents = {identity: document for (_, identity), document in stored.items()}
        assert len(documents) == len(stored)
        for file, offset, text in self.lines():
            if offset >= self._checked.get(file, 0):
                self._checked[file] = offset + 1
                if text.startswith("{") and len(text) < 65_536 and "REFUSE" not in text:
                    line = json.loads(text)
                    document = documents[f"chat-1|{file}|{offset}|{line['@timestamp']}"]
                    assert {name: value for name, value in document.items() if name not in ADDED} == line
                    assert not list(SCHEMA.iter_errors(line)), text
        assert self.endpoint.faults == []
        assert max(self.endpoint.repeats.values(), default=0) <= self.sent_again
        assert self.endpoint.repeats.keys() <= documents.keys()

    def restart(self, role: Role, how: signal.Signals) -> None:
        """Restart a role while lines are in flight and more are written."""
        self.write(MIDDLE)
        role.stop(how)
        self.write(100)
        role.start()
        self.sent_again += 1

    def dead_letters(self) -> list[dict[str, Any]]:
        file = self.pipeline.indexer.spool / "refused.jsonl"
        return list(map(json.loads, file.read_text().splitlines())) if file.exists() else []

    def stored(self, offset: int, name: str) -> tuple[str, dict[str, Any]]:
        """Return the stream and the document of the line at this offset."""
        path = str(self.pipeline.logs / name)
        found = (
            (stream, document)
            for (stream, _), document in self.endpoint.stored.items()
            if (document["log.file.path"], document["log.offset"]) == (path, offset)
        )
        return next(found)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("light")
    with (
        closing(BulkEndpoint(PASSWORD)) as endpoint,
        running(folder, endpoint.url, PASSWORD) as (pipeline, kafka),
        (pipeline.logs / "auth.log").open("ab") as log,
        closing(Helper("write_lines.py", answers="stderr", stdout=log)) as writer,
    ):
        yield Run(pipeline, kafka, endpoint, writer)


def test_lines_arrive_in_their_streams(run: Run):
    run.write(200)
    wanted = {"parts/nginx.log": (ACCESS, NGINX), "runner.log": (STARTED, RUNNER), "audit/auth.log": (SIGNED_IN, AUDIT)}
    places = {name: run.append(name, in_one_line(line)) for name, (line, _) in wanted.items()}
    assert run.all_arrive()
    assert run.stored(0, "auth.log")[0] == SERVICES
    assert {name: run.stored(place, name)[0] for name, place in places.items()} == {
        name: stream for name, (_, stream) in wanted.items()
    }


@pytest.mark.parametrize("broker", [1, 2])
def test_a_broker_is_lost(run: Run, broker: int):
    run.write(200)
    run.kafka.send(f"down {broker}")
    run.write(200)
    assert run.all_arrive()
    run.kafka.send(f"up {broker}")
    run.write(50)
    run.sent_again += 1
    assert run.all_arrive()


@pytest.mark.parametrize("faults", [("429",), ("503", "503"), ("items", "items"), ("cut",)], ids="-".join)
def test_elasticsearch_rejects_requests(run: Run, faults: tuple[str, ...]):
    met = run.endpoint.met[faults[0]]
    run.endpoint.order(*faults)
    run.write(300)
    run.sent_again += len(faults)
    assert run.all_arrive()
    assert run.endpoint.met[faults[0]] == met + len(faults)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_the_shipper_restarts(run: Run, how: signal.Signals):
    run.restart(run.pipeline.shipper, how)
    assert run.all_arrive()


def test_the_shipper_restarts_while_kafka_is_down(run: Run):
    for broker in (1, 2):
        run.kafka.send(f"down {broker}")
    run.restart(run.pipeline.shipper, signal.SIGTERM)
    run.restart(run.pipeline.shipper, signal.SIGKILL)
    for broker in (1, 2):
        run.kafka.send(f"up {broker}")
    assert run.all_arrive()


def test_the_indexer_is_killed_while_it_writes(run: Run):
    """It is always stopped by SIGKILL, possibly between a line of its queue and the checkpoint."""
    indexer = run.pipeline.indexer
    met = run.endpoint.met["503"]
    run.endpoint.order(*["503"] * 20)
    run.write(MIDDLE)
    wait_until(lambda: run.endpoint.met["503"] > met + 1, ARRIVES_WITHIN_S)
    indexer.stop(signal.SIGKILL)
    run.endpoint.order()
    newest = max(indexer.spool.glob("index.0*"))
    with newest.open("ab") as file:
        file.write(newest.read_bytes()[:5000])
    newest.with_name("index.00000099").write_bytes(b"<Obj:1:msg:1:")
    run.write(100)
    indexer.start()
    run.sent_again += 1
    assert run.all_arrive()
    assert "qDeqDisk" not in indexer.output()


def test_an_oversize_line_is_truncated_and_flagged(run: Run):
    line = in_one_line(SIGNED_IN | {"message": "x" * 70_000})
    offset = run.append("audit/auth.log", line, "plain words\tof a library\n")
    assert run.all_arrive()
    stream, cut = run.stored(offset, "audit/auth.log")
    assert (stream, cut["log.flags"], cut["event.dataset"]) == (SERVICES, "truncated", "webchat.unparsed")
    assert cut["event.original"].rstrip("\n") == line[:65_536]
    assert cut["message"] == line[:1_000]
    _, plain = run.stored(offset + len(line), "audit/auth.log")
    assert (plain["log.flags"], plain["event.original"]) == ("unparsed", "plain words\tof a library")


def test_a_rejected_document_becomes_a_dead_letter_with_the_reason(run: Run):
    letters = len(run.dead_letters())
    refused = in_one_line(SIGNED_IN | {"message": "REFUSE"})
    run.append("audit/auth.log", refused)
    run.fewer += 1
    run.write(10)
    wait_until(lambda: len(run.dead_letters()) > letters, ARRIVES_WITHIN_S)
    (letter,) = run.dead_letters()[letters:]
    assert (letter["status"], letter["error"]["type"]) == ("400", "document_parsing_exception")
    assert letter["line"].items() >= json.loads(refused).items()
    assert run.all_arrive()


def test_records_of_other_shippers_are_stored_or_become_dead_letters(run: Run):
    """Records of Filebeat have nested names."""
    nested = {
        "@timestamp": "2026-11-25T01:00:00.789Z", "message": "of Filebeat", "event": {"id": "a hash"},
        "data_stream": {"type": "logs", "dataset": "kafka.brokers", "namespace": "default"},
        "log": {"offset": 0, "file": {"path": "/var/log/kafka/server.log"}},
    }  # fmt: skip
    letters = len(run.dead_letters())
    producer = Producer({"bootstrap.servers": run.kafka.brokers})
    for value in (json.dumps(nested), "no JSON {"):
        producer.produce(TOPIC, value)
    assert producer.flush(ARRIVES_WITHIN_S) == 0
    wait_until(lambda: ("logs-kafka.brokers-default", "a hash") in run.endpoint.stored, ARRIVES_WITHIN_S)
    wait_until(lambda: len(run.dead_letters()) == letters + 1, ARRIVES_WITHIN_S)
    assert run.dead_letters()[-1] == {"status": "0", "error": {"type": "no JSON"}, "line": {"msg": "no JSON {"}}
    del run.endpoint.stored["logs-kafka.brokers-default", "a hash"]


def test_only_lines_of_the_contract_are_sent_from_the_engines_files(run: Run):
    (run.pipeline.containers / "0123").mkdir()
    run.append("../containers/0123/0123-json.log", *(
        in_one_line({"log": said + "\n", "stream": "stdout", "time": "2026-11-25T01:00:00.123456789Z"})
        for said in ("2026-11-25 mysqld: ready", in_one_line(SIGNED_IN).strip())
    ))  # fmt: skip
    before = len(run.endpoint.stored)
    assert run.endpoint.wait_for(before + 1, ARRIVES_WITHIN_S)
    (one,) = (one for one in run.endpoint.stored.values() if one["log.file.path"].endswith("-json.log"))
    assert one.items() >= SIGNED_IN.items()
    run.fewer -= 1  # from a file that is not in `files`


def test_a_file_is_rotated(run: Run):
    """Lines at the same offset before and after the rotation get different IDs."""
    file = run.pipeline.logs / "rooms.log"
    for minute in range(3):
        lines = [
            in_one_line(SIGNED_IN | {"@timestamp": f"2026-11-25T01:{minute:02}:{second:02}.000+00:00"})
            for second in range(60)
        ]
        run.fewer -= len(lines)  # from a file that is not in `files`
        run.append(file.name, lines[0])
        assert run.endpoint.wait_for(run.expected() - len(lines) + 1, ARRIVES_WITHIN_S)
        run.append(file.name, *lines[1:])
        file.rename(file.with_name(f"rooms.log.{minute}"))
        assert run.all_arrive()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"SPOOL": "/nowhere"}, "KAFKA_BROKERS is not set"), ({}, 'rsyslog cannot read a password with \\ or "')],
    ids=["missing", "unreadable"],
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: dict[str, str], reason: str):
    secret = tmp_path / "password"
    secret.write_text('a"b')
    names = ("SPOOL", "KAFKA_BROKERS", "KAFKA_TOPIC", "KAFKA_GROUP", "GATE_HOST", "GATE_PORT")
    whole = {name: str(tmp_path) for name in names} | {"LOGS_WRITER_PASSWORD_FILE": str(secret)}
    command = [str(LOGGING / "light" / "run.sh"), "indexer"]
    done = subprocess.run(command, env=settings or whole, capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stderr) == (64, f"run.sh: {reason}\n")
