"""The metrics of a stack's processes, as Prometheus scrapes them."""

import httpx
from containers import Containers
from people import TRUST
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from stack import Stack

GATEWAYS = ("chat-gateway-1", "chat-gateway-2")
_READ = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000/metrics', timeout=5).read().decode())"


def page_of(stack: Stack, name: str) -> list[Metric]:
    """Return the metrics of a process. The gateways are those of `GATEWAYS`."""
    if isinstance(stack, Containers):
        service, _, replica = name.partition("-gateway-")
        where = ("--index", replica, f"{service}-gateway") if replica else (name,)
        page = stack.compose("exec", "--no-TTY", *where, "python", "-ISc", _READ)
    else:
        page = httpx.get(f"http://127.0.0.1:{stack.port(name)}/metrics", verify=TRUST, trust_env=False).text
    return list(text_string_to_metric_families(page))


def sum_of(stack: Stack, names: tuple[str, ...], metric: str, **labels: str) -> float:
    """Return the sum of a metric's samples with these labels over some processes."""
    samples = [sample for name in names for family in page_of(stack, name) for sample in family.samples]
    return sum(one.value for one in samples if one.name == metric and labels.items() <= one.labels.items())
