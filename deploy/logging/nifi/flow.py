"""Write flow.json, the definition that NiFi imports: `python deploy/logging/nifi/flow.py`.

Both topics have the same flow, in a process group each, so that one can be stopped alone. Property names are those of
the API of NiFi 2.6; later versions rename them at import.
"""

import json
import uuid
from pathlib import Path
from typing import Any

VERSION = "2.6.0"
CONTEXT = "WebChat logs"
FLOW = "WebChat logs"
ROOT = uuid.UUID("6c1b1f0e-2f0b-5d2c-9a54-0d5a3c6b7e21")
"""Makes IDs from names, so that components keep their IDs from version to version, as NiFi requires."""
DEAD_LETTERS = "webchat-dead-letters"
TOPICS = {"webchat-logs": "webchat.services", "kafka-logs": "kafka.brokers"}
"""Each topic, with the data stream for lines that name none."""
PARAMETERS = {
    "kafka.brokers": "Bootstrap brokers, host:port, separated by commas",
    "kafka.group": "The consumer group with the committed offsets",
    "elasticsearch.urls": "Addresses of Elasticsearch, separated by commas",
    "elasticsearch.username": "A user with the role webchat_logs_writer",
    "elasticsearch.password": "Set at installation; NiFi stores it and never exports it",
}
VALUES = {
    "kafka.brokers": "kafka-1:9092,kafka-2:9092",
    "kafka.group": "webchat-nifi",
    "elasticsearch.urls": "http://elasticsearch:9200",
    "elasticsearch.username": "webchat_logs_writer",
}
SENSITIVE = {"elasticsearch.password"}

KAFKA, ELASTICSEARCH = "Kafka", "Elasticsearch"
SERVICE_PROPERTIES = {"Kafka Connection Service": KAFKA, "el-rest-client-service": ELASTICSEARCH}
TYPES = {
    "ConsumeKafka": ("org.apache.nifi.kafka.processors", "nifi-kafka-nar"),
    "PublishKafka": ("org.apache.nifi.kafka.processors", "nifi-kafka-nar"),
    "EvaluateJsonPath": ("org.apache.nifi.processors.standard", "nifi-standard-nar"),
    "RouteOnAttribute": ("org.apache.nifi.processors.standard", "nifi-standard-nar"),
    "RetryFlowFile": ("org.apache.nifi.processors.standard", "nifi-standard-nar"),
    "UpdateAttribute": ("org.apache.nifi.processors.attributes", "nifi-update-attribute-nar"),
    "PutElasticsearchJson": ("org.apache.nifi.processors.elasticsearch", "nifi-elasticsearch-restapi-nar"),
    "Kafka3ConnectionService": ("org.apache.nifi.kafka.service", "nifi-kafka-3-service-nar"),
    "ElasticSearchClientServiceImpl": ("org.apache.nifi.elasticsearch", "nifi-elasticsearch-client-service-nar"),
}


def identity(*path: str) -> str:
    return str(uuid.uuid5(ROOT, "/".join(path)))


def component(kind: str, group: str, name: str, **fields: Any) -> dict[str, Any]:
    owner = None if group == name == FLOW else identity(group)
    own = identity(group) if kind == "PROCESS_GROUP" else identity(group, name)
    return {"identifier": own, "name": name, "componentType": kind, "groupIdentifier": owner, **fields}


def extension(simple: str) -> dict[str, Any]:
    package, archive = TYPES[simple]
    bundle = {"group": "org.apache.nifi", "artifact": archive, "version": VERSION}
    return {"type": f"{package}.{simple}", "bundle": bundle}


def descriptors(properties: dict[str, str]) -> dict[str, Any]:
    """Return NiFi's property descriptors: whether each property names a service, and whether it is a secret."""
    return {
        name: {
            "name": name,
            "displayName": name,
            "identifiesControllerService": name in SERVICE_PROPERTIES,
            "sensitive": name == "el-cs-password",
        }
        for name in properties
    }


def service(name: str, simple: str, properties: dict[str, str]) -> dict[str, Any]:
    parts = {"properties": properties, "propertyDescriptors": descriptors(properties), "controllerServiceApis": []}
    fixed = {"comments": "", "scheduledState": "ENABLED", "bulletinLevel": "WARN"}
    return component("CONTROLLER_SERVICE", FLOW, name, **extension(simple), **parts, **fixed)


def processor(
    group: str, name: str, simple: str, at: tuple[int, int], properties: dict[str, str],
    *, ends: tuple[str, ...] = (), retried: tuple[str, ...] = (), comments: str = "",
) -> dict[str, Any]:  # fmt: skip
    given = {key: identity(FLOW, SERVICE_PROPERTIES[key]) if key in SERVICE_PROPERTIES else value
             for key, value in properties.items()}  # fmt: skip
    return component(
        "PROCESSOR",
        group,
        name,
        **extension(simple),
        comments=comments,
        position={"x": float(at[0] * 480), "y": float(at[1] * 240)},
        properties=given,
        propertyDescriptors=descriptors(given),
        style={},
        schedulingPeriod="0 sec",
        schedulingStrategy="TIMER_DRIVEN",
        executionNode="ALL",
        penaltyDuration="30 sec",
        yieldDuration="1 sec",
        bulletinLevel="WARN",
        runDurationMillis=0,
        concurrentlySchedulableTaskCount=1,
        autoTerminatedRelationships=sorted(ends),
        scheduledState="ENABLED",
        retryCount=10,
        retriedRelationships=sorted(retried),
        # The whole processor pauses, longer each time, because the next lines would fail too.
        backoffMechanism="YIELD_PROCESSOR",
        maxBackoffPeriod="2 mins",
    )


def connection(
    group: str, source: dict[str, Any], relations: tuple[str, ...], target: dict[str, Any]
) -> dict[str, Any]:
    def end(of: dict[str, Any]) -> dict[str, Any]:
        return {"id": of["identifier"], "type": of["componentType"], "groupId": of["groupIdentifier"],
                "name": of["name"], "comments": ""}  # fmt: skip

    name = f"{source['name']} {', '.join(relations)} {target['name']} {source['groupIdentifier']}"
    fields = component("CONNECTION", group, name)
    return fields | {
        "name": "",
        "source": end(source),
        "destination": end(target),
        "selectedRelationships": sorted(relations),
        # A full queue stops the processors before it, and Kafka keeps the rest.
        "backPressureObjectThreshold": 10000,
        "backPressureDataSizeThreshold": "64 MB",
        "flowFileExpiration": "0 sec",
        "prioritizers": [],
        "bends": [],
        "labelIndex": 0,
        "zIndex": 0,
        "loadBalanceStrategy": "DO_NOT_LOAD_BALANCE",
        "partitioningAttribute": "",
        "loadBalanceCompression": "DO_NOT_COMPRESS",
    }


def process_group(name: str, at: tuple[int, int], **parts: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        kind: []
        for kind in ("processGroups", "remoteProcessGroups", "processors", "inputPorts", "outputPorts", "connections",
                     "labels", "funnels", "controllerServices")
    }  # fmt: skip
    own = component("PROCESS_GROUP", name, name)
    owner = {} if name == FLOW else {"groupIdentifier": identity(FLOW)}
    return own | owner | empty | {
        "comments": "",
        "position": {"x": float(at[0] * 480), "y": float(at[1] * 240)},
        "parameterContextName": CONTEXT,
        "defaultFlowFileExpiration": "0 sec",
        "defaultBackPressureObjectThreshold": 10000,
        "defaultBackPressureDataSizeThreshold": "64 MB",
        "scheduledState": "ENABLED",
        "executionEngine": "INHERITED",
        "maxConcurrentTasks": 1,
        "statelessFlowTimeout": "1 min",
        "flowFileConcurrency": "UNBOUNDED",
        "flowFileOutboundPolicy": "STREAM_WHEN_AVAILABLE",
    } | parts  # fmt: skip


def either(name: str, otherwise: str) -> str:
    """Return an expression for the nested (Filebeat) or dotted (rsyslog) name, whichever exists."""
    flat = f"${{{name}.flat:isEmpty():ifElse({otherwise}, ${{{name}.flat}})}}"
    return f"${{{name}.nested:isEmpty():ifElse({flat}, ${{{name}.nested}})}}"


def topic_group(topic: str, stream: str, at: tuple[int, int]) -> dict[str, Any]:
    consume = processor(topic, "Consume", "ConsumeKafka", (0, 0), {
        "Kafka Connection Service": KAFKA, "Group ID": "#{kafka.group}", "Topic Format": "names", "Topics": topic,
        "auto.offset.reset": "earliest", "Commit Offsets": "true", "Max Uncommitted Time": "1 s",
        "Processing Strategy": "FLOW_FILE", "Header Encoding": "UTF-8",
    }, comments="Offsets are committed when the lines are in NiFi's own journal.")  # fmt: skip
    read = processor(topic, "Read id and stream", "EvaluateJsonPath", (0, 1), {
        "Destination": "flowfile-attribute", "Return Type": "auto-detect", "Path Not Found Behavior": "ignore",
        "id.nested": "$.event.id", "id.flat": "$['event.id']",
        "stream.nested": "$.data_stream.dataset", "stream.flat": "$['data_stream.dataset']",
    })  # fmt: skip
    place = "${kafka.topic:append('-'):append(${kafka.partition}):append('-'):append(${kafka.offset})}"
    name = processor(topic, "Name the document", "UpdateAttribute", (0, 2), {
        "document.id": either("id", place), "document.stream": f"logs-{either('stream', repr(stream))}-default",
    }, comments="A line without an ID gets one from its topic, partition and offset.")  # fmt: skip
    put = processor(topic, "Put", "PutElasticsearchJson", (0, 3), {
        "el-rest-client-service": ELASTICSEARCH, "el-rest-fetch-index": "${document.stream}",
        "put-es-record-index-op": "create", "put-es-json-id-attr": "document.id", "put-es-record-batch-size": "500",
        "put-es-json-charset": "UTF-8", "put-es-record-log-error-responses": "false",
        "put-es-output-error-responses": "false",
    }, ends=("original", "successful"), retried=("retry",),
        comments="503 and lost nodes are retried here, then queued again.")  # fmt: skip
    failures = processor(topic, "Sort failures", "RouteOnAttribute", (1, 3), {
        "Routing Strategy": "Route to Property name",
        "hopeless": "${elasticsearch.put.error:contains('400 Bad Request')"
                    ":or(${elasticsearch.put.error:contains('413 ')})}",
    }, comments="Whole failed requests. 400 and 413 are permanent, all others are retried.")  # fmt: skip
    refusals = processor(topic, "Sort refusals", "RouteOnAttribute", (1, 4), {
        "Routing Strategy": "Route to Property name",
        "again": "${elasticsearch.bulk.error:jsonPath('$.status'):in('429','503')}",
        "repeat": "${elasticsearch.bulk.error:jsonPath('$.status'):equals('409')}",
    }, ends=("repeat",), comments="409: already stored. 429: retried. All others: rejected permanently.")  # fmt: skip
    wait = processor(topic, "Wait", "RetryFlowFile", (1, 2), {
        "retry-attribute": "again.count", "maximum-retries": "120", "penalize-retries": "true", "reuse-mode": "reset",
    }, comments="Half a minute per attempt, an hour in total.")  # fmt: skip
    dead = component("OUTPUT_PORT", topic, "dead letters", type="OUTPUT_PORT", position={"x": 1440.0, "y": 720.0},
                     comments="", concurrentlySchedulableTaskCount=1, scheduledState="ENABLED",
                     allowRemoteAccess=False, portFunction="STANDARD")  # fmt: skip
    ways = [
        (consume, ("success",), read),
        (read, ("matched", "unmatched"), name),
        (read, ("failure",), dead),  # not JSON
        (name, ("success",), put),
        (put, ("retry",), put),
        (put, ("failure",), failures),
        (put, ("errors",), refusals),
        (failures, ("hopeless",), dead),
        (failures, ("unmatched",), put),  # Put has penalised it, so it waits half a minute
        (refusals, ("again",), wait),
        (refusals, ("unmatched",), dead),
        (wait, ("retry",), put),
        (wait, ("retries_exceeded", "failure"), dead),
    ]
    return process_group(topic, at, processors=[consume, read, name, put, failures, refusals, wait], outputPorts=[dead],
                         connections=[connection(topic, *way) for way in ways])  # fmt: skip


def flow() -> dict[str, Any]:
    kafka = service(KAFKA, "Kafka3ConnectionService", {
        "bootstrap.servers": "#{kafka.brokers}", "security.protocol": "PLAINTEXT", "isolation.level": "read_committed",
        "max.poll.records": "1000", "default.api.timeout.ms": "60 sec", "max.block.ms": "5 sec",
        "ack.wait.time": "30 sec",
    })  # fmt: skip
    elasticsearch = service(ELASTICSEARCH, "ElasticSearchClientServiceImpl", {
        "el-cs-http-hosts": "#{elasticsearch.urls}", "authorization-scheme": "BASIC",
        "el-cs-username": "#{elasticsearch.username}", "el-cs-password": "#{elasticsearch.password}",
        "el-cs-connect-timeout": "5000", "el-cs-socket-timeout": "30000", "el-cs-suppress-nulls": "never-suppress",
        "el-cs-enable-compression": "true", "el-cs-sniff-cluster-nodes": "false",
    })  # fmt: skip
    publish = processor(FLOW, "Keep dead letters", "PublishKafka", (1, 3), {
        "Kafka Connection Service": KAFKA, "Topic Name": DEAD_LETTERS, "acks": "all", "compression.type": "gzip",
        "max.request.size": "1 MB", "Transactions Enabled": "false", "Kafka Key": "${document.id:replaceEmpty('-')}",
        "FlowFile Attribute Header Pattern": r"elasticsearch\..*|document\..*|kafka\.(topic|partition|offset)",
    }, ends=("success",), comments="The unchanged line, with the reason and its origin in the headers.")  # fmt: skip
    groups = [topic_group(topic, stream, (2 * number, 0)) for number, (topic, stream) in enumerate(TOPICS.items())]
    connections = [connection(FLOW, port, (), publish) for group in groups for port in group["outputPorts"]]
    connections.append(connection(FLOW, publish, ("failure",), publish))
    parameters = [
        {"name": name, "description": description, "sensitive": name in SENSITIVE, "provided": False}
        | ({} if name in SENSITIVE else {"value": VALUES[name]})
        for name, description in PARAMETERS.items()
    ]
    context = {"name": CONTEXT, "parameters": parameters, "inheritedParameterContexts": [],
               "componentType": "PARAMETER_CONTEXT", "description": "Settings per installation"}  # fmt: skip
    contents = process_group(FLOW, (0, 0), processGroups=groups, processors=[publish],
                             controllerServices=[kafka, elasticsearch], connections=connections)  # fmt: skip
    return {
        "flowContents": contents,
        "externalControllerServices": {},
        "parameterContexts": {CONTEXT: context},
        "parameterProviders": {},
        "flowEncodingVersion": "1.0",
        "latest": False,
    }


if __name__ == "__main__":
    Path(__file__).with_name("flow.json").write_text(json.dumps(flow(), indent=1) + "\n", encoding="utf-8")
