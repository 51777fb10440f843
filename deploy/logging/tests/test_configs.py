"""The files of Filebeat, Kafka, Elasticsearch and Kibana: known options, and the values that the pipeline relies on.

None of the four can run here; schemas/ has the options from their manuals. The scripts between them run.
"""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

LOGGING = Path(__file__).parents[1]
NODE = Path(sys.executable).with_name("node")
Config = dict[str, Any]


def nest(value: Any) -> Any:
    """Split dotted names, as Filebeat does."""
    if isinstance(value, list):
        return [nest(item) for item in value]
    if not isinstance(value, dict):
        return value
    whole: Config = {}
    for key, inner in value.items():
        at, (*path, last) = whole, key.split(".") if not key.startswith("@") else [key]
        for name in path:
            at = at.setdefault(name, {})
        made = nest(inner)
        if isinstance(made, dict) and isinstance(at.get(last), dict):
            at[last].update(made)
        else:
            at[last] = made
    return whole


def flatten(config: Config, before: str = "") -> Config:
    flat: Config = {}
    for key, value in config.items():
        flat |= flatten(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat


def properties(text: str) -> Config:
    lines = [line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert len({key for key, _ in lines}) == len(lines), "duplicate property"
    return dict(lines)


READ: dict[str, tuple[str, Callable[[str], Config]]] = {
    "filebeat/chat-host.yml": ("filebeat", lambda text: nest(yaml.safe_load(text))),
    "filebeat/kafka-host.yml": ("filebeat", lambda text: nest(yaml.safe_load(text))),
    "kafka/zookeeper.properties": ("kafka-zookeeper", properties),
    "kafka/kraft.properties": ("kafka-kraft", properties),
    "elasticsearch/elasticsearch.yml": ("elasticsearch", lambda text: flatten(yaml.safe_load(text))),
    "kibana/kibana.yml": ("kibana", lambda text: flatten(yaml.safe_load(text))),
}


def read(file: str) -> Config:
    return READ[file][1]((LOGGING / file).read_text())


def complaints(schema: str, config: Config) -> list[str]:
    shape = Draft202012Validator(json.loads((LOGGING / "schemas" / f"{schema}.json").read_text()))
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in shape.iter_errors(config)]


@pytest.mark.parametrize("file", READ)
def test_a_file_has_only_known_options(file: str):
    assert complaints(READ[file][0], read(file)) == []


def test_schemas_are_valid():
    found = [json.loads(file.read_text()) for file in (LOGGING / "schemas").glob("*.json")]
    schemas = [schema for schema in found if "$schema" in schema]
    assert len(schemas) == len(found) - 1, "all except the list of NiFi's components"
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def misspell(*path: Any) -> Callable[[Config], None]:
    """Return a change that drops the last letter of the last name in the path."""

    def change(config: Config) -> None:
        at: Any = config
        for name in path[:-1]:
            at = at[name]
        at[path[-1][:-1]] = at.pop(path[-1])

    return change


BROKEN: dict[str, tuple[str, Callable[[Config], Any]]] = {
    "acknowledgements": ("filebeat/chat-host.yml", misspell("output", "kafka", "required_acks")),
    "an input's id": ("filebeat/chat-host.yml", lambda config: config["filebeat"]["inputs"][0].pop("id")),
    "the registry": ("filebeat/chat-host.yml", misspell("filebeat", "registry", "path")),
    "a parser": ("filebeat/chat-host.yml", misspell("filebeat", "inputs", 0, "parsers", 1, "ndjson")),
    "a condition": ("filebeat/chat-host.yml", misspell("filebeat", "inputs", 0, "processors", 0, "drop_event", "when")),
    "two outputs": ("filebeat/chat-host.yml", lambda config: config["output"].update(elasticsearch={})),
    "the queue": ("filebeat/kafka-host.yml", misspell("queue", "mem", "events")),
    "a script": ("filebeat/kafka-host.yml", misspell("filebeat", "inputs", 0, "processors", 0, "script", "file")),
    "ZooKeepers": ("kafka/zookeeper.properties", misspell("zookeeper.connect")),
    "ZooKeepers in KRaft": ("kafka/kraft.properties", lambda config: config.update({"zookeeper.connect": "z:2181"})),
    "replicas": ("kafka/kraft.properties", lambda config: config.update({"min.insync.replicas": "two"})),
    "security": ("elasticsearch/elasticsearch.yml", lambda config: config.update({"xpack.security.enabled": False})),
    "an index that is made": ("elasticsearch/elasticsearch.yml", misspell("action.auto_create_index")),
    "a password of Kibana's": ("kibana/kibana.yml", lambda config: config.update({"elasticsearch.password": "x"})),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_mistake_is_rejected(what: str):
    file, change = BROKEN[what]
    config = copy.deepcopy(read(file))
    change(config)
    assert complaints(READ[file][0], config) != []


def topics() -> dict[str, list[str]]:
    lines = (LOGGING / "kafka" / "topics.conf").read_text().splitlines()
    return {topic: rest for topic, *rest in (line.split() for line in lines if not line.startswith("#"))}


def test_no_line_is_dropped():
    for file in ("filebeat/chat-host.yml", "filebeat/kafka-host.yml"):
        config = read(file)
        output = config["output"]["kafka"]
        assert output["required_acks"] == -1, "all in-sync replicas have it"
        assert tuple(map(int, output["version"].split("."))) >= (2, 1, 0), "Kafka 4 supports nothing older"
        assert output["topic"] in topics()
        assert output["bulk_max_size"] <= config["queue"]["mem"]["events"]
        ids = [source["id"] for source in config["filebeat"]["inputs"]]
        assert len(ids) == len(set(ids)), "the registry identifies inputs by their IDs"
        for source in config["filebeat"]["inputs"]:
            assert source["file_identity"] == {"fingerprint": None}
        read_once, unparsed = (one["fingerprint"] for one in config["processors"] if "fingerprint" in one)
        place = ["host.name", "log.file.path", "log.offset"]
        assert (read_once["fields"], unparsed["fields"]) == ([*place, "@timestamp"], [*place, "message"])
        assert read_once["when"] == {"not": unparsed["when"]}, "each line gets exactly one ID"
        assert read_once["target_field"] == unparsed["target_field"] == "event.id"


def test_the_largest_line_fits_everywhere():
    config = read("filebeat/chat-host.yml")
    largest = sum(one["truncate_fields"]["max_bytes"] for one in config["processors"] if "truncate_fields" in one)
    sent = config["output"]["kafka"]["max_message_bytes"]
    brokers = [int(read(f"kafka/{kind}.properties")["message.max.bytes"]) for kind in ("zookeeper", "kraft")]
    assert 4 * largest < sent < min(brokers), "there is room for escapes and other fields"
    assert {int(rest[-1]) for rest in topics().values()} == set(brokers)


def test_lines_go_to_the_streams_of_the_readme():
    adding = [one["add_fields"] for one in read("filebeat/chat-host.yml")["processors"] if "add_fields" in one]
    datasets = {one["fields"]["dataset"] for one in adding if one["target"] == "data_stream"}
    assert datasets == {"webchat.services", "webchat.nginx", "webchat.runner", "webchat.audit"}
    readme = (LOGGING / "README.md").read_text()
    for dataset in (*datasets, "kafka.brokers"):
        assert f"logs-{dataset}-default" in readme
    patterns = [f"logs-{dataset.split('.')[0]}.*-default" for dataset in (*datasets, "kafka.brokers")]
    made = read("elasticsearch/elasticsearch.yml")["action.auto_create_index"].split(",")
    assert set(patterns) <= set(made)


ENTRY = "[2026-11-25T01:02:03.456Z] {level} {message} (kafka.server.ReplicaManager){rest}"
THROWN = "java.io.IOException: no space\n\tat kafka.Log.append(Log.scala:1)"
PARSED = [
    (ENTRY.format(level="WARN", message="[ReplicaManager broker=1] Stopping (at once)", rest=""),
     {"log.level": "warning", "message": "[ReplicaManager broker=1] Stopping (at once)",
      "log.logger": "kafka.server.ReplicaManager", "kafka.time": "2026-11-25T01:02:03.456Z"}),
    (ENTRY.format(level="ERROR", message="Cannot read", rest=f"\n{THROWN}"),
     {"log.level": "error", "message": "Cannot read", "error.type": "java.io.IOException",
      "error.stack_trace": THROWN}),
    ("Exception in main", {"log.level": "warning", "log.flags": ["unparsed"], "message": "Exception in main"}),
    (ENTRY.format(level="INFO", message="x" * 5000, rest=""), {"message": "x" * 1000}),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "expected"), PARSED)
def test_an_entry_of_kafka_becomes_a_line_of_the_contract(entry: str, expected: Config):
    """Run the script in Node, with an event that has Get and Put as in Filebeat."""
    given = "var fields = {message: JSON.parse(process.argv[1])};"
    event = "{Get: function (name) { return fields[name]; }, Put: function (name, value) { fields[name] = value; }}"
    script = (LOGGING / "filebeat" / "kafka-line.js").read_text()
    code = f"{given}(function () {{ {script}\nprocess({event}); }})();console.log(JSON.stringify(fields));"
    command = [str(NODE), "-e", code, json.dumps(entry)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    fields = json.loads(done.stdout)
    assert fields | expected == fields
    assert {fields["service.name"], fields["event.dataset"], fields["data_stream.dataset"]} == {
        "kafka",
        "kafka.brokers",
    }


def test_both_layouts_match_the_script():
    old, new = (
        properties((LOGGING / "kafka" / file).read_text()) for file in ("log4j.properties", "log4j2.properties")
    )
    pattern = "[%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX}] %p %m (%c)%n"
    assert old["log4j.appender.file.layout.ConversionPattern"] == new["appender.file.layout.pattern"] == pattern


RECORDS = '#!/bin/sh\nprintf "%s\\n" "$(basename "$0") $*" >>"$CALLS"\n'


def run_script(script: str, tmp_path: Path, **settings: str) -> list[str]:
    """Run a script with recording replacements of Kafka's commands, and return the recorded calls."""
    for name in ("kafka-topics.sh", "kafka-configs.sh", "kafka-storage.sh", "kafka-server-start.sh"):
        (tmp_path / name).write_text(RECORDS)
        (tmp_path / name).chmod(0o755)
    calls = tmp_path / "calls"
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls), "TMPDIR": str(tmp_path), **settings}
    command = ["sh", str(LOGGING / "kafka" / script)]
    subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=True)
    return calls.read_text().splitlines()


def test_topics_are_created_and_updated(tmp_path: Path):
    settings = {"BOOTSTRAP": "k:9092", "REPLICATION": "2", "MIN_INSYNC_REPLICAS": "1"}
    calls = run_script("topics.sh", tmp_path, **settings)
    made, changed = calls[::2], calls[1::2]
    assert len(made) == len(changed) == len(topics())
    for (topic, (partitions, age, *_)), make, change in zip(topics().items(), made, changed, strict=True):
        assert make.startswith("kafka-topics.sh --bootstrap-server k:9092 --create --if-not-exists")
        assert make.endswith(f"--topic {topic} --partitions {partitions} --replication-factor 2")
        assert f"--entity-name {topic} " in change
        for setting in (f"retention.ms={age}", "min.insync.replicas=1", "message.timestamp.type=LogAppendTime"):
            assert setting in change


@pytest.mark.parametrize(("mode", "number"), [("zookeeper", "broker.id"), ("kraft", "node.id")])
def test_a_broker_gets_the_properties_of_its_host(tmp_path: Path, mode: str, number: str):
    settings = {"MODE": mode, "BROKER_ID": "2", "ADVERTISED": "kafka-2:9092", "CLUSTER_ID": "V2ViQ2hhdC1sb2dzLWtyYQ"}
    calls = run_script("start.sh", tmp_path, **settings)
    written = tmp_path / "server.properties"
    config = properties(written.read_text())
    assert complaints(f"kafka-{mode}", config) == []
    assert (config[number], config["advertised.listeners"]) == ("2", "PLAINTEXT://kafka-2:9092")
    assert calls[-1] == f"kafka-server-start.sh {written}"
    formats = f"kafka-storage.sh format --ignore-formatted --cluster-id V2ViQ2hhdC1sb2dzLWtyYQ --config {written}"
    assert calls[:-1] == ([formats] if mode == "kraft" else []), "formatted once and not again"


def test_writing_does_not_create_a_topic():
    for kind in ("zookeeper", "kraft"):
        config = read(f"kafka/{kind}.properties")
        assert config["auto.create.topics.enable"] == config["unclean.leader.election.enable"] == "false"
        assert int(config["min.insync.replicas"]) < int(config["default.replication.factor"]), "one may be down"
