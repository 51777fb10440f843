"""Kibana's objects and rules: references exist, fields are mapped, streams match the roles; and apply.py."""

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
OBJECTS = [json.loads(line) for line in (LOGGING / "kibana" / "saved_objects.ndjson").read_text().splitlines()]
RULES = {file.stem: json.loads(file.read_text()) for file in sorted((LOGGING / "kibana" / "rules").glob("*.json"))}
SHAPES = {
    name: Draft202012Validator(json.loads((LOGGING / "schemas" / f"{name}.json").read_text()))
    for name in ("kibana-object", "kibana-rule")
}
QUERIED = re.compile(r"([\w.@]+)\s*(?::|[<>]=?)")
Object = dict[str, Any]


def mapped(properties: Object, before: str = "") -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from mapped(field["properties"], f"{before}{name}.")
        else:
            yield before + name, field["type"]


MAPPINGS = json.loads((LOGGING / "elasticsearch" / "component_templates" / "webchat-logs-mappings.json").read_text())
FIELDS = dict(mapped(MAPPINGS["template"]["mappings"]["properties"]))
TEXT = {"match_only_text"}
NUMBERS = {"long", "double"}


def columns(one: Object) -> Iterator[Object]:
    for layer in one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values():
        assert layer["columnOrder"] == list(layer["columns"]) or sorted(layer["columnOrder"]) == sorted(
            layer["columns"]
        )
        yield from layer["columns"].values()


def wrong_columns(one: Object) -> Iterator[str]:
    for column in columns(one):
        field, operation = column["sourceField"], column["operationType"]
        if field == "___records___":
            continue
        if field not in FIELDS:
            yield f"{one['id']}: {field} is not mapped"
        elif FIELDS[field] in TEXT:
            yield f"{one['id']}: {field} is a text, which nothing can be counted by"
        elif operation in {"sum", "percentile"} and FIELDS[field] not in NUMBERS:
            yield f"{one['id']}: {operation} of {field}, which is {FIELDS[field]}"


def wrong_drawing(one: Object) -> Iterator[str]:
    (layer,) = one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()
    drawn = json.dumps(one["attributes"]["state"]["visualization"])
    for column in layer["columns"]:
        if f'"{column}"' not in drawn:
            yield f"{one['id']}: {column} is not drawn"


def query_of(one: Object) -> str:
    if one["type"] == "lens":
        return str(one["attributes"]["state"]["query"]["query"])
    if one["type"] == "search":
        return str(json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"])
    return ""


def wrong_references(one: Object, known: set[tuple[str, str]]) -> Iterator[str]:
    for reference in one["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"{one['id']}: {reference['type']} {reference['id']} is not there"
    names = {reference["name"] for reference in one["references"]}
    wanted: set[str] = set()
    if one["type"] == "lens":
        layers = one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
        wanted = {f"indexpattern-datasource-layer-{layer}" for layer in layers}
    elif one["type"] == "search":
        wanted = {json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["indexRefName"]}
    elif one["type"] == "dashboard":
        panels = json.loads(one["attributes"]["panelsJSON"])
        wanted = {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels}
        if any(panel["gridData"]["x"] + panel["gridData"]["w"] > 48 for panel in panels):
            yield f"{one['id']}: a panel leaves the page"
    if names != wanted:
        yield f"{one['id']}: refers by {sorted(names ^ wanted)}"


def problems(objects: list[Object]) -> list[str]:
    found = [
        f"{one.get('id')}: {error.message}" for one in objects for error in SHAPES["kibana-object"].iter_errors(one)
    ]
    if found:
        return found
    known = {(one["type"], one["id"]) for one in objects}
    found += [] if len(known) == len(objects) else ["duplicate id"]
    for one in objects:
        found += wrong_references(one, known)
        fields = QUERIED.findall(query_of(one)) + (one["attributes"]["columns"] if one["type"] == "search" else [])
        found += [f"{one['id']}: {field} is not mapped" for field in fields if field not in FIELDS]
        if one["type"] == "lens":
            found += [*wrong_columns(one), *wrong_drawing(one)]
    return found


def test_the_objects_are_valid():
    assert problems(OBJECTS) == []


def test_the_file_is_up_to_date():
    assert runpy.run_path(str(LOGGING / "kibana" / "objects.py"))["objects"]() == OBJECTS


def test_every_topic_has_its_dashboard():
    boards = {one["id"]: one for one in OBJECTS if one["type"] == "dashboard"}
    assert boards.keys() == {
        f"webchat-{what}" for what in ("traffic", "errors", "latency", "sign-ins", "slow", "kafka")
    }
    shown = {reference["id"] for board in boards.values() for reference in board["references"]}
    assert shown == {one["id"] for one in OBJECTS if one["type"] in {"lens", "search"}}
    observability = (LOGGING.parents[1] / "docs" / "observability.md").read_text()
    for board in boards.values():
        assert board["attributes"]["title"] in observability


def one(objects: list[Object], name: str) -> Object:
    return next(found for found in objects if found["id"] == name)


def layer(objects: list[Object], name: str) -> Object:
    state: Object = one(objects, name)["attributes"]["state"]
    return state["datasourceStates"]["formBased"]["layers"]["lines"]


BROKEN: dict[str, tuple[Callable[[list[Object]], Any], str]] = {
    "a view gone": (lambda objects: objects.pop(0), "is not there"),
    "a panel gone": (lambda objects: objects.remove(one(objects, "errors-lines")), "is not there"),
    "a field misspelt": (
        lambda objects: layer(objects, "traffic-paths")["columns"]["by0"].update(sourceField="url.pth"),
        "url.pth is not",
    ),
    "a query misspelt": (
        lambda objects: one(objects, "errors-failed")["attributes"]["state"]["query"].update(query="http.status : 500"),
        "http.status is not",
    ),
    "a text counted by": (
        lambda objects: layer(objects, "traffic-paths")["columns"]["by0"].update(sourceField="message"),
        "is a text",
    ),
    "a sum of words": (
        lambda objects: layer(objects, "traffic-bytes")["columns"]["y0"].update(sourceField="url.path"),
        "sum of url.path",
    ),
    "an option that Kibana has not": (
        lambda objects: one(objects, "webchat-slow")["attributes"].update(timeRestored=True), "timeRestored",
    ),
    "a figure nobody draws": (
        lambda objects: one(objects, "traffic-paths")["attributes"]["state"]["visualization"]["columns"].pop(),
        "is not drawn",
    ),
    "a reference by another name": (
        lambda objects: one(objects, "webchat-slow")["references"][0].update(name="panel_1"), "refers by",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_broken_objects_are_rejected(what: str):
    objects = copy.deepcopy(OBJECTS)
    change, complaint = BROKEN[what]
    change(objects)
    assert any(complaint in problem for problem in problems(objects)), problems(objects)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_valid(name: str):
    assert list(SHAPES["kibana-rule"].iter_errors(RULES[name])) == []
    asked = RULES[name]["rule"]["params"]["searchConfiguration"]
    assert asked["index"] in {view["id"] for view in OBJECTS if view["type"] == "index-pattern"}
    assert set(QUERIED.findall(asked["query"]["query"])) <= FIELDS.keys()
    assert {action["id"] for action in RULES[name]["rule"]["actions"]} == {"webchat-log"}
    broken = copy.deepcopy(RULES[name])
    broken["rule"]["params"]["treshold"] = broken["rule"]["params"].pop("threshold")
    assert list(SHAPES["kibana-rule"].iter_errors(broken)) != []


def test_the_audit_trail_needs_its_own_role():
    views = {view["id"]: view["attributes"]["title"].split(",") for view in OBJECTS if view["type"] == "index-pattern"}
    roles = {file.stem: json.loads(file.read_text()) for file in (LOGGING / "elasticsearch" / "roles").glob("*.json")}
    readable = {name: {index for grant in role["indices"] for index in grant["names"]} for name, role in roles.items()}
    assert set(views["webchat-audit"]) == readable["webchat_audit_reader"]
    assert set(views["webchat-logs"]) | set(views["kafka-logs"]) == readable["webchat_logs_reader"]


class Kibana(BaseHTTPRequestHandler):
    """A mock of a Kibana that already has one of the rules."""

    asked: list[tuple[str, str, bytes]]
    refuse: bool

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.asked.append((self.command, self.path, body))
        there = RULES["no-lines"]["id"] in self.path
        status = 404 if self.command == "GET" and not there else 200
        if not self.headers["kbn-xsrf"] or self.headers["Authorization"] != "Basic ZWxhc3RpYzpnZWhlaW0=":
            status = 401
        said = {"success": not self.refuse, "successCount": len(OBJECTS), "errors": [{"id": "traffic-paths"}]}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - names of the base class

    def log_message(self, *args: object) -> None: ...


@pytest.mark.parametrize("refuse", [False, True])
def test_everything_is_sent_to_kibana(tmp_path: Path, refuse: bool):
    kibana = type("One", (Kibana,), {"asked": [], "refuse": refuse})
    (tmp_path / "password").write_text("geheim\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), kibana) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        env = {**os.environ, "KIBANA_URL": f"http://127.0.0.1:{running.server_port}",
               "ELASTICSEARCH_PASSWORD_FILE": str(tmp_path / "password")}  # fmt: skip
        script = [sys.executable, "-P", str(LOGGING / "kibana" / "apply.py")]
        done = subprocess.run(script, env=env, capture_output=True, text=True, timeout=60, check=False)
        running.shutdown()
    method, path, form = kibana.asked[0]
    assert (method, path) == ("POST", "/api/saved_objects/_import?overwrite=true")
    assert [json.loads(line) for line in form.decode().splitlines() if line.startswith("{")] == OBJECTS
    if refuse:
        assert (done.returncode, len(kibana.asked)) == (1, 1)
        assert "traffic-paths" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    puts = {path: json.loads(body) for method, path, body in kibana.asked if method == "PUT"}
    there = f"/api/alerting/rule/{RULES['no-lines']['id']}"
    assert puts.keys() == {there, "/api/security/role/webchat_dashboards"}
    assert "enabled" not in puts[there], "a rule disabled by an operator stays disabled"
    made = {path for method, path, _ in kibana.asked[1:] if method == "POST"}
    assert made == {f"/api/alerting/rule/{rule['id']}" for rule in RULES.values()} - {there}
