"""Write saved_objects.ndjson for Kibana's import: `python deploy/logging/kibana/objects.py`.

A data view per reader role, searches, and dashboards of charts; each chart is a separate object, so that it can be
found and changed in Kibana. IDs are names, so that a later version replaces the objects of an earlier one.
"""

import json
from pathlib import Path
from typing import Any

VIEWS = {
    "webchat-logs": "logs-webchat.services-default,logs-webchat.nginx-default,logs-webchat.runner-default",
    "webchat-audit": "logs-webchat.audit-default",
    "kafka-logs": "logs-kafka.*-default",
}
WIDTH = 48
LAYER = "lines"
Object = dict[str, Any]
Column = dict[str, Any]


def saved(kind: str, name: str, attributes: Object, references: list[Object], version: str) -> Object:
    return {"type": kind, "id": name, "attributes": attributes, "references": references, "managed": False,
            "coreMigrationVersion": "8.8.0", "typeMigrationVersion": version}  # fmt: skip


def reference(kind: str, name: str, role: str) -> Object:
    return {"type": kind, "id": name, "name": role}


def view(name: str, pattern: str) -> Object:
    attributes = {"title": pattern, "name": name, "timeFieldName": "@timestamp", "allowHidden": False}
    return saved("index-pattern", name, attributes, [], "8.0.0")


def count(label: str = "lines") -> Column:
    return {"label": label, "customLabel": True, "dataType": "number", "operationType": "count", "isBucketed": False,
            "scale": "ratio", "sourceField": "___records___", "params": {"emptyAsNull": True}}  # fmt: skip


def figure(operation: str, field: str, label: str, **params: Any) -> Column:
    return {"label": label, "customLabel": True, "dataType": "number", "operationType": operation, "scale": "ratio",
            "isBucketed": False, "sourceField": field, "params": params}  # fmt: skip


def percentile(field: str, share: int) -> Column:
    return figure("percentile", field, f"p{share}, s", percentile=share)


def over_time() -> Column:
    return {"label": "@timestamp", "dataType": "date", "operationType": "date_histogram", "sourceField": "@timestamp",
            "isBucketed": True, "scale": "interval",
            "params": {"interval": "auto", "includeEmptyRows": True}}  # fmt: skip


def top(field: str, size: int = 10, kind: str = "string") -> Column:
    return {"label": field, "dataType": kind, "operationType": "terms", "scale": "ordinal", "sourceField": field,
            "isBucketed": True, "params": {"size": size, "orderBy": {"type": "column", "columnId": "y0"},
            "orderDirection": "desc", "otherBucket": True, "missingBucket": False}}  # fmt: skip


def lens(
    name: str, title: str, source: str, query: str, columns: dict[str, Column], shown: tuple[str, Object]
) -> Object:
    form, visualization = shown
    layer = {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}, "sampling": 1}
    state = {
        "datasourceStates": {"formBased": {"layers": {LAYER: layer}}},
        "visualization": visualization,
        "query": {"query": query, "language": "kuery"},
        "filters": [],
        "internalReferences": [],
        "adHocDataViews": {},
    }
    attributes = {"title": title, "description": "", "visualizationType": form, "state": state}
    asked = reference("index-pattern", source, f"indexpattern-datasource-layer-{LAYER}")
    return saved("lens", name, attributes, [asked], "8.9.0")


def chart(
    name: str, title: str, source: str, query: str, *figures: Column, split: Column | None = None, line: bool = False
) -> Object:
    kind = "line" if line else "bar_stacked"
    values = {f"y{number}": column for number, column in enumerate(figures or (count(),))}
    columns = {"x": over_time()} | ({"by": split} if split else {}) | values
    drawn = {"layerId": LAYER, "layerType": "data", "seriesType": kind, "xAccessor": "x", "accessors": list(values)}
    if split:
        drawn["splitAccessor"] = "by"
    look = {"legend": {"isVisible": True, "position": "right"}, "valueLabels": "hide", "preferredSeriesType": kind,
            "layers": [drawn]}  # fmt: skip
    return lens(name, title, source, query, columns, ("lnsXY", look))


def table(name: str, title: str, source: str, query: str, by: list[Column], *figures: Column) -> Object:
    values = {f"y{number}": column for number, column in enumerate(figures or (count(),))}
    columns = {f"by{number}": column for number, column in enumerate(by)} | values
    look = {"layerId": LAYER, "layerType": "data", "columns": [{"columnId": column} for column in columns]}
    return lens(name, title, source, query, columns, ("lnsDatatable", look))


def number(name: str, title: str, source: str, query: str, value: Column) -> Object:
    look = {"layerId": LAYER, "layerType": "data", "metricAccessor": "y0"}
    return lens(name, title, source, query, {"y0": value}, ("lnsMetric", look))


def search(name: str, title: str, source: str, query: str, columns: list[str], first: str = "@timestamp") -> Object:
    role = "kibanaSavedObjectMeta.searchSourceJSON.index"
    asked = {"query": {"query": query, "language": "kuery"}, "filter": [], "indexRefName": role}
    attributes = {"title": title, "description": "", "columns": columns, "sort": [[first, "desc"]],
                  "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(asked)}}  # fmt: skip
    return saved("search", name, attributes, [reference("index-pattern", source, role)], "8.0.0")


def dashboard(name: str, title: str, description: str, panels: list[tuple[Object, int, int]]) -> Object:
    """Return a dashboard. Panels go from left to right with their widths and heights; a row has 48 columns."""
    placed, references, x, y = [], [], 0, 0
    for index, (panel, width, height) in enumerate(panels, 1):
        spot = {"x": x, "y": y, "w": width, "h": height, "i": str(index)}
        placed.append({"type": panel["type"], "panelIndex": str(index), "gridData": spot, "embeddableConfig": {},
                       "panelRefName": f"panel_{index}"})  # fmt: skip
        references.append(reference(panel["type"], panel["id"], f"{index}:panel_{index}"))
        x, y = (x + width, y) if x + width < WIDTH else (0, y + height)
    asked = {"query": {"query": "", "language": "kuery"}, "filter": []}
    attributes = {
        "title": title, "description": description, "panelsJSON": json.dumps(placed),
        "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False}), "timeRestore": True,
        "timeFrom": "now-24h", "timeTo": "now", "refreshInterval": {"pause": False, "value": 60000},
        "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(asked)},
    }  # fmt: skip
    return saved("dashboard", name, attributes, references, "8.9.0")


LOGS, AUDIT, KAFKA = "webchat-logs", "webchat-audit", "kafka-logs"
ACCESS = "event.dataset : nginx.access"
FAILED = f"{ACCESS} and http.response.status_code >= 500"
BAD = "log.level : (error or critical)"
# Leave out WebSockets: each is one request that lasts for hours.
SHORT = f"{ACCESS} and not http.response.status_code : 101"
SLOW = f"{SHORT} and nginx.request_time >= 1"
FAILED_SIGN_INS = "event.action : sign-in and event.outcome : failure"
TIME, STATUS, PATH = "nginx.request_time", "http.response.status_code", "url.path"


def traffic() -> tuple[Object, list[tuple[Object, int, int]]]:
    panels = [
        (number("traffic-requests", "Requests", LOGS, ACCESS, count("requests")), 12, 6),
        (number("traffic-people", "People", LOGS, ACCESS, figure("unique_count", "user.id", "people")), 12, 6),
        (
            number("traffic-addresses", "Addresses", LOGS, ACCESS, figure("unique_count", "client.ip", "addresses")),
            12,
            6,
        ),
        (
            number("traffic-bytes", "Bytes sent", LOGS, ACCESS, figure("sum", "http.response.body.bytes", "bytes")),
            12,
            6,
        ),
        (chart("traffic-status", "Requests by status", LOGS, ACCESS, split=top(STATUS, 8, "number")), 24, 12),
        (chart("traffic-method", "Requests by method", LOGS, ACCESS, split=top("http.request.method", 6)), 24, 12),
        (table("traffic-paths", "Most requested paths", LOGS, ACCESS, [top(PATH, 20)]), 24, 14),
        (chart("traffic-lines", "Lines by service", LOGS, "", split=top("service.name", 8)), 24, 14),
    ]
    return dashboard("webchat-traffic", "WebChat: traffic", "Requests by status, method and path", panels), panels


def errors() -> tuple[Object, list[tuple[Object, int, int]]]:
    columns = ["log.level", "service.name", "error.type", "message", "trace.id"]
    weighed = figure("sum", "webchat.count", "summarised")
    panels = [
        (chart("errors-failed", "Requests with status 5xx", LOGS, FAILED, split=top(STATUS, 6, "number")), 24, 12),
        (chart("errors-services", "Errors by service", LOGS, BAD, split=top("service.name", 8)), 24, 12),
        (table("errors-paths", "Failing paths", LOGS, FAILED, [top(PATH), top("nginx.upstream.status", 5)]), 24, 12),
        (table("errors-types", "Types of errors", LOGS, BAD, [top("error.type", 15), top("log.logger", 3)],
               count(), weighed), 24, 12),
        (search("errors-lines", "Error log lines", LOGS, BAD, columns), 48, 18),
    ]  # fmt: skip
    return dashboard("webchat-errors", "WebChat: errors", "Failed requests and errors", panels), panels


def latency() -> tuple[Object, list[tuple[Object, int, int]]]:
    shares = [percentile(TIME, share) for share in (50, 95, 99)]
    panels = [
        (chart("latency-time", "Request duration in seconds", LOGS, SHORT, *shares, line=True), 48, 12),
        (chart("latency-methods", "p95 by method", LOGS, SHORT, percentile(TIME, 95), line=True,
               split=top("http.request.method", 5)), 24, 12),
        (chart("latency-upstreams", "p95 by upstream", LOGS, SHORT, percentile(TIME, 95), line=True,
               split=top("nginx.upstream.address", 8)), 24, 12),
        (table("latency-paths", "Paths", LOGS, SHORT, [top(PATH, 25)], count("requests"), *shares), 48, 16),
    ]  # fmt: skip
    return dashboard("webchat-latency", "WebChat: latency", "Request durations, without WebSockets", panels), panels


def sign_ins() -> tuple[Object, list[tuple[Object, int, int]]]:
    columns = ["event.action", "event.outcome", "event.reason", "user.id", "source.ip", "webchat.room", "trace.id"]
    panels = [
        (chart("sign-ins-outcome", "Sign-ins", AUDIT, "event.action : sign-in", split=top("event.outcome", 2)), 24, 12),
        (chart("sign-ins-actions", "All audited actions", AUDIT, "", split=top("event.action", 12)), 24, 12),
        (
            table("sign-ins-networks", "Networks with failed sign-ins", AUDIT, FAILED_SIGN_INS, [top("source.ip", 15)]),
            24,
            12,
        ),
        (table("sign-ins-people", "Users with failed sign-ins", AUDIT, FAILED_SIGN_INS, [top("user.id", 15)]), 24, 12),
        (search("sign-ins-lines", "The audit trail", AUDIT, "", columns), 48, 18),
    ]
    about = "Sign-ins, revocations, roles, removals; needs the role webchat_audit_reader"
    return dashboard("webchat-sign-ins", "WebChat: sign-ins and audit", about, panels), panels


def slow() -> tuple[Object, list[tuple[Object, int, int]]]:
    columns = [
        TIME,
        "http.request.method",
        PATH,
        STATUS,
        "nginx.upstream.response_time",
        "nginx.upstream.address",
        "trace.id",
    ]
    panels = [
        (chart("slow-time", "Requests of a second or more", LOGS, SLOW, count("requests")), 24, 12),
        (
            table("slow-paths", "Slow paths", LOGS, SLOW, [top(PATH, 15)], count("requests"), percentile(TIME, 95)),
            24,
            12,
        ),
        (search("slow-lines", "Slowest requests first", LOGS, SLOW, columns, TIME), 48, 20),
    ]
    return dashboard(
        "webchat-slow", "WebChat: slow requests", "Requests of a second or more, with their traces", panels
    ), panels


def kafka() -> tuple[Object, list[tuple[Object, int, int]]]:
    columns = ["host.name", "log.level", "log.logger", "message"]
    bad = "log.level : (warning or error or critical)"
    panels = [
        (chart("kafka-levels", "Kafka's lines by level", KAFKA, "", split=top("log.level", 5)), 24, 12),
        (chart("kafka-hosts", "Warnings and errors by host", KAFKA, bad, split=top("host.name", 6)), 24, 12),
        (table("kafka-loggers", "Errors by logger", KAFKA, bad, [top("log.logger", 15), top("host.name", 3)]), 24, 14),
        (table("kafka-errors", "Exceptions by type", KAFKA, bad, [top("error.type", 15)]), 24, 14),
        (search("kafka-lines", "Warnings and errors", KAFKA, bad, columns), 48, 18),
    ]
    about = "Kafka's own log, sent through Kafka itself: a missing log is a warning sign too"
    return dashboard("webchat-kafka", "WebChat: Kafka's own health", about, panels), panels


def objects() -> list[Object]:
    made = [view(name, pattern) for name, pattern in VIEWS.items()]
    for board, panels in (traffic(), errors(), latency(), sign_ins(), slow(), kafka()):
        made += [panel for panel, _, _ in panels] + [board]
    return made


if __name__ == "__main__":
    lines = (json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in objects())
    Path(__file__).with_name("saved_objects.ndjson").write_text("".join(lines), encoding="utf-8")
