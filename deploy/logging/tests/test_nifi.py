"""The flow for NiFi: valid, fully connected, without secrets; and apply.py."""

import copy
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

LOGGING = Path(__file__).parents[1]
FLOW = json.loads((LOGGING / "nifi" / "flow.json").read_text())
KNOWN = json.loads((LOGGING / "schemas" / "nifi-components.json").read_text())["components"]
SHAPE = Draft202012Validator(json.loads((LOGGING / "schemas" / "nifi-flow.json").read_text()))
SECRET = re.compile(r"password|secret|api-key$|token", re.IGNORECASE)
Flow = dict[str, Any]


def groups(group: Flow) -> Iterator[Flow]:
    yield group
    for inner in group["processGroups"]:
        yield from groups(inner)


def relations(processor: Flow) -> set[str]:
    known = KNOWN[processor["type"]]
    own = processor["properties"].keys() - set(known["properties"])
    return set(known["relationships"]) | (own if known["dynamicRelationships"] else set())


def wrong_properties(part: Flow, services: set[str], parameters: dict[str, Flow]) -> Iterator[str]:
    name, known = part["name"], KNOWN[part["type"]]
    if not known["dynamic"]:
        for unknown in part["properties"].keys() - set(known["properties"]):
            yield f"{name}: {unknown} is no property of {part['type']}"
    for missing in set(known["required"]) - part["properties"].keys():
        yield f"{name}: {missing} is not set"
    for key, value in part["properties"].items():
        described = part["propertyDescriptors"].get(key, {})
        if described.get("identifiesControllerService") and value not in services:
            yield f"{name}: {key} names no service"
        if SECRET.search(key) and not re.fullmatch(r"#\{[\w.]+\}", value):
            yield f"{name}: {key} holds a secret"
        for parameter in re.findall(r"#\{([^}]+)\}", value):
            if parameter not in parameters:
                yield f"{name}: there is no parameter {parameter}"
            elif parameters[parameter]["sensitive"] != described.get("sensitive"):
                yield f"{name}: {key} and {parameter} are not both secret"


def wrong_connections(group: Flow) -> Iterator[str]:
    inner_ports = [port for inner in group["processGroups"] for port in (*inner["inputPorts"], *inner["outputPorts"])]
    within = {one["identifier"]: one for one in (*group["processors"], *group["outputPorts"], *group["inputPorts"])}
    ends = within | {port["identifier"]: port for port in inner_ports}
    leaving: dict[str, set[str]] = {}
    entered: set[str] = set()
    for connection in group["connections"]:
        source, target = connection["source"], connection["destination"]
        for end in (source, target):
            found = ends.get(end["id"])
            if found is None:
                yield f"{group['name']}: {end['name']} is not there"
            elif (end["type"], end["groupId"]) != (found["componentType"], found["groupIdentifier"]):
                yield f"{group['name']}: {end['name']} is another than the connection says"
        if source["type"] == "PROCESSOR" and not connection["selectedRelationships"]:
            yield f"{group['name']}: a connection of {source['name']} carries nothing"
        leaving.setdefault(source["id"], set()).update(connection["selectedRelationships"])
        entered.add(target["id"])
    for one in group["processors"]:
        out, ended = leaving.get(one["identifier"], set()), set(one["autoTerminatedRelationships"])
        if out & ended:
            yield f"{one['name']}: {sorted(out & ended)} goes on and ends"
        if difference := relations(one) ^ (out | ended):
            yield f"{one['name']}: {sorted(difference)} is no relation, or leads nowhere"
        if not set(one["retriedRelationships"]) <= relations(one):
            yield f"{one['name']}: tries a relation again that it has not"
        if KNOWN[one["type"]]["input"] != (one["identifier"] in entered):
            yield f"{one['name']}: {'nothing comes in' if KNOWN[one['type']]['input'] else 'takes nothing in'}"
    for port in inner_ports:
        if port["componentType"] == "OUTPUT_PORT" and port["identifier"] not in leaving:
            yield f"{group['name']}: {port['name']} of a group leads nowhere"
    for port in group["outputPorts"]:
        if port["identifier"] not in entered:
            yield f"{group['name']}: nothing comes to {port['name']}"


def problems(flow: Flow) -> list[str]:
    shape = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in SHAPE.iter_errors(flow)]
    if shape:
        return shape
    found: list[str] = []
    seen: list[str] = []
    services: set[str] = set()
    for group in groups(flow["flowContents"]):
        context = flow["parameterContexts"].get(group["parameterContextName"])
        if context is None:
            return [f"{group['name']}: its parameter context is not there"]
        parameters = {one["name"]: one for one in context["parameters"]}
        services |= {one["identifier"] for one in group["controllerServices"]}
        for part in (*group["processors"], *group["controllerServices"]):
            if part["type"] not in KNOWN:
                return [f"{part['name']}: {part['type']} is not known"]
            if part["bundle"]["version"] != "2.6.0":
                found.append(f"{part['name']}: another version")
            found += wrong_properties(part, services, parameters)
        found += wrong_connections(group)
        for kind in ("processors", "connections", "controllerServices", "outputPorts", "inputPorts"):
            seen += [one["identifier"] for one in group[kind]]
            found += [f"{one['name']}: in another group" for one in group[kind]
                      if one["groupIdentifier"] != group["identifier"]]  # fmt: skip
    return found + ([] if len(seen) == len(set(seen)) else ["duplicate id"])


def test_the_flow_is_valid():
    assert problems(FLOW) == []


def test_the_file_is_up_to_date():
    assert runpy.run_path(str(LOGGING / "nifi" / "flow.py"))["flow"]() == FLOW


def processor(flow: Flow, group: int, name: str) -> Flow:
    return next(one for one in flow["flowContents"]["processGroups"][group]["processors"] if one["name"] == name)


def drop_connection(flow: Flow) -> None:
    flow["flowContents"]["processGroups"][0]["connections"].pop()


def lead_astray(flow: Flow) -> None:
    flow["flowContents"]["processGroups"][0]["connections"][0]["destination"]["id"] = flow["flowContents"]["identifier"]


def end_what_goes_on(flow: Flow) -> None:
    processor(flow, 1, "Put")["autoTerminatedRelationships"].append("errors")


def forget_a_port(flow: Flow) -> None:
    flow["flowContents"]["connections"].pop(0)


BROKEN: dict[str, tuple[Callable[[Flow], Any], str]] = {
    "a connection gone": (drop_connection, "leads nowhere"),
    "a connection astray": (lead_astray, "is not there"),
    "a relation that ends and goes on": (end_what_goes_on, "goes on and ends"),
    "dead letters that nobody takes": (forget_a_port, "leads nowhere"),
    "a property misspelt": (lambda flow: processor(flow, 0, "Put")["properties"].update(index="x"), "is no property"),
    "a topic unset": (lambda flow: processor(flow, 0, "Consume")["properties"].pop("Topics"), "Topics is not set"),
    "a service unknown": (
        lambda flow: processor(flow, 0, "Put")["properties"].update({"el-rest-client-service": "Elasticsearch"}),
        "names no service",
    ),
    "a service gone": (lambda flow: flow["flowContents"]["controllerServices"].pop(), "names no service"),
    "a parameter gone": (
        lambda flow: flow["parameterContexts"]["WebChat logs"]["parameters"].pop(0), "there is no parameter",
    ),
    "a password within": (
        lambda flow: flow["flowContents"]["controllerServices"][1]["properties"].update({"el-cs-password": "geheim"}),
        "holds a secret",
    ),
    "a secret with its value": (
        lambda flow: flow["parameterContexts"]["WebChat logs"]["parameters"][-1].update(value="geheim"),
        "should not be valid",
    ),
    "a secret in the open": (
        lambda flow: flow["parameterContexts"]["WebChat logs"]["parameters"][-1].update(sensitive=False),
        "not both secret",
    ),
    "a field that NiFi has not": (lambda flow: flow["flowContents"].update(procesors=[]), "procesors"),
    "the context gone": (lambda flow: flow["flowContents"].update(parameterContextName="other"), "parameter context"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_flow_is_rejected(what: str):
    flow = copy.deepcopy(FLOW)
    change, complaint = BROKEN[what]
    change(flow)
    assert any(complaint in problem for problem in problems(flow)), problems(flow)


def test_topics_and_ids_match_the_pipeline():
    consumed = {
        one["properties"]["Topics"]
        for group in groups(FLOW["flowContents"])
        for one in group["processors"]
        if one["type"].endswith("ConsumeKafka")
    }
    assert consumed == {"webchat-logs", "kafka-logs"}
    for group in (0, 1):
        put = processor(FLOW, group, "Put")["properties"]
        assert (put["put-es-record-index-op"], put["put-es-json-id-attr"]) == ("create", "document.id")
        read = processor(FLOW, group, "Read id and stream")["properties"]
        assert {read["id.nested"], read["id.flat"]} == {"$.event.id", "$['event.id']"}


class NiFi(BaseHTTPRequestHandler):
    """A mock of NiFi's REST API, with or without an existing flow."""

    asked: list[tuple[str, str, Any]]
    state: dict[str, Any]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        is_json = self.headers["Content-Type"] == "application/json" and body
        self.asked.append((self.command, self.path, json.loads(body) if is_json else body))
        status, said = self.say()
        if self.path != "/nifi-api/access/token" and self.headers["Authorization"] != "Bearer jwt":
            status, said = 401, b"Unauthorized"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(said if isinstance(said, bytes) else json.dumps(said).encode())

    def say(self) -> tuple[int, Any]:
        place, state = self.path.removeprefix("/nifi-api"), self.state
        group = {"id": "group", "component": {"name": "WebChat logs"}, "runningCount": state["running"]}
        update = {"request": {"requestId": "r", "complete": self.command == "GET", "failureReason": state["reason"]}}
        service = {"component": {"name": "Kafka", "state": "ENABLED"}}
        canvas = {"id": "canvas", "flow": {"processGroups": [group] if state["there"] else []}}
        starting = state["starting"] and len(self.asked) == 1
        answers: dict[str, tuple[int, Any]] = {
            "/access/token": (503, b"starting") if starting else (201, b"jwt"),
            "/flow/process-groups/root": (200, {"processGroupFlow": canvas}),
            "/process-groups/canvas/process-groups/upload": (201, group),
            "/flow/parameter-contexts": (200, {"parameterContexts": [
                {"id": "context", "revision": {"version": 0}, "component": {"name": "WebChat logs"}}]}),
            "/parameter-contexts/context/update-requests": (200, update),
            "/parameter-contexts/context/update-requests/r": (200, update),
            "/flow/process-groups/group/controller-services": (200, {"controllerServices": [service]}),
            "/flow/process-groups/group": (200, {}),
        }  # fmt: skip
        return answers.get(place, (404, b"no such place"))

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - names of the base class

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def nifi() -> Iterator[tuple[type[NiFi], str]]:
    state = {"starting": False, "there": False, "running": 0, "reason": None}
    one = type("One", (NiFi,), {"asked": [], "state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), one) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield one, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def apply(url: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    files = {"NIFI_PASSWORD_FILE": "of the operator\n", "LOGS_WRITER_PASSWORD_FILE": "of the writer\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    settings = {"NIFI_URL": url, "NIFI_USERNAME": "operator", "KAFKA_BROKERS": "k:9092", "NIFI_RETRY_S": "0.02"}
    env = {**os.environ, **{name: str(tmp_path / name) for name in files}, **settings}
    script = [sys.executable, "-P", str(LOGGING / "nifi" / "apply.py")]
    return subprocess.run(script, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_flow_is_installed(nifi: tuple[type[NiFi], str], tmp_path: Path):
    one, url = nifi
    one.state.update(starting=True)
    done = apply(url, tmp_path)
    assert done.returncode == 0, done.stderr
    asked = {(method, path.removeprefix("/nifi-api")): body for method, path, body in one.asked}
    assert b"username=operator&password=of+the+operator" in asked["POST", "/access/token"]
    form = asked["POST", "/process-groups/canvas/process-groups/upload"]
    assert json.loads(form[form.index(b"{") : form.rindex(b"}") + 1]) == FLOW
    wish = asked["POST", "/parameter-contexts/context/update-requests"]["component"]["parameters"]
    given = {one["parameter"]["name"]: one["parameter"] for one in wish}
    assert given["kafka.brokers"]["value"] == "k:9092"
    assert given["elasticsearch.password"] == {
        "name": "elasticsearch.password", "sensitive": True, "value": "of the writer",
    }  # fmt: skip
    assert [body["state"] for method, _, body in one.asked if method == "PUT"] == ["ENABLED", "RUNNING"]
    assert "of the writer" not in done.stdout + done.stderr


@pytest.mark.parametrize(("running", "changed"), [(3, False), (0, True)])
def test_an_existing_flow(nifi: tuple[type[NiFi], str], tmp_path: Path, running: int, changed: bool):
    one, url = nifi
    one.state.update(there=True, running=running)
    assert apply(url, tmp_path).returncode == 0
    assert any(method == "PUT" for method, _, _ in one.asked) == changed
    assert not any("upload" in path for _, path, _ in one.asked)


def test_a_rejection_is_reported(nifi: tuple[type[NiFi], str], tmp_path: Path):
    one, url = nifi
    one.state.update(reason="a processor does not stop")
    done = apply(url, tmp_path)
    assert done.returncode == 1
    assert "a processor does not stop" in done.stderr
