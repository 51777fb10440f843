"""A Kafka of two brokers in a separate process: librdkafka's mock cluster, from confluent-kafka's wheel.

It writes the brokers' addresses as its first line, then executes commands from its input and answers each with a line:
`down 1` stops a broker, and the other one leads its partitions, as a controller would decide; `up 1` restarts it.
"""

import ctypes
import sys
from pathlib import Path

import confluent_kafka

BROKERS = (1, 2)
PARTITIONS = 4
PRODUCER = 0
FOLDER = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"


def library() -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(next(FOLDER.glob("librdkafka-*"))))
    for name in ("rd_kafka_new", "rd_kafka_conf_new", "rd_kafka_mock_cluster_new"):
        getattr(loaded, name).restype = ctypes.c_void_p
    loaded.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return loaded


class Cluster:
    def __init__(self, topic: str, group: str) -> None:
        self._topic, self._group = topic.encode(), group.encode()
        self._kafka = library()
        why = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._kafka.rd_kafka_conf_new())
        client = self._kafka.rd_kafka_new(PRODUCER, conf, why, ctypes.c_size_t(len(why)))
        if not client:
            raise RuntimeError(why.value.decode())
        self._cluster = ctypes.c_void_p(self._kafka.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), len(BROKERS)))
        self._check(self._kafka.rd_kafka_mock_topic_create(self._cluster, self._topic, PARTITIONS, len(BROKERS)))
        self._kafka.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)

    def addresses(self) -> str:
        addresses: bytes = self._kafka.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return addresses.decode()

    def down(self, broker: int) -> None:
        (other,) = set(BROKERS) - {broker}
        for partition in range(PARTITIONS):
            self._check(self._kafka.rd_kafka_mock_partition_set_leader(self._cluster, self._topic, partition, other))
        self._check(self._kafka.rd_kafka_mock_coordinator_set(self._cluster, b"group", self._group, other))
        self._check(self._kafka.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def up(self, broker: int) -> None:
        self._check(self._kafka.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def _check(self, failed: int) -> None:
        if failed:
            raise RuntimeError(f"the mock cluster answers {failed}")


def main() -> None:
    cluster = Cluster(*sys.argv[1:])
    print(cluster.addresses(), flush=True)
    for line in sys.stdin:
        what, broker = line.split()
        {"down": cluster.down, "up": cluster.up}[what](int(broker))
        print("done", flush=True)


if __name__ == "__main__":
    main()
