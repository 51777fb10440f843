"""The aims, and whether the figures meet them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Aim:
    what: str
    limit: float
    found: float
    at_most: bool
    unit: str

    @property
    def is_met(self) -> bool:
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    def as_row(self) -> list[str]:
        sign = "≤" if self.at_most else "≥"
        wanted, got = f"{sign} {self.limit:g}{self.unit}", f"{self.found:.2f}{self.unit}"
        return [self.what, wanted, got, "met" if self.is_met else "**not met**"]


def aims_of(found: dict[str, Any]) -> list[Aim]:
    """Return the aims for which there are figures."""
    ours, theirs = found["webchat"], found.get("baseline", {})
    return [*_fanout(ours, found.get("bare", {})), *_against(ours, theirs), *_alone(ours)]


def further_receiver_cpu(few: dict[str, Any], many: dict[str, Any]) -> float:
    """Return the gateways' CPU-seconds per million deliveries, without the fixed cost of a message.

    The fixed cost covers accepting the message, committing it, answering the sender and reading it from Redis.
    """
    message = few["gateway_cpu_s_per_million"] * few["receivers"]
    of_many = many["gateway_cpu_s_per_million"] * many["receivers"] - message
    return float(of_many / (many["receivers"] - few["receivers"]))


def _fanout(ours: dict[str, Any], bare: dict[str, Any]) -> Iterator[Aim]:
    few, *many = ours.get("fanout", ()) or ({},)
    for one, least in zip(many, bare.get("fanout", ()), strict=False):
        cost = further_receiver_cpu(few, one) / least["gateway_cpu_s_per_million"]
        yield Aim(f"CPU of each further receiver, {one['receivers']} receivers", 1.5, cost, True, " × the bare loop")
    for one, least in zip(many[:1], bare.get("fanout", ()), strict=False):
        wait = one["receipt_p99_ms"] / least["receipt_p99_ms"]
        yield Aim(f"p99 send → receipt, {one['receivers']} receivers", 1.5, wait, True, " × the bare loop")


def _against(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[Aim]:
    if "small_rooms" in theirs and theirs["small_rooms"]["best"]["committed_per_s"]:
        ratio = ours["small_rooms"]["best"]["committed_per_s"] / theirs["small_rooms"]["best"]["committed_per_s"]
        yield Aim("committed messages in many small rooms", 6, ratio, False, " × the baseline")
    if "history" in theirs:
        for depth in ("newest", "deep"):
            ratio = ours["history"][depth]["pages_per_s"] / theirs["history"][depth]["pages_per_s"]
            yield Aim(f"history, {depth} pages, HTTP", 8, ratio, False, " × the baseline")
            ratio = ours["history"][f"socket_{depth}"]["pages_per_s"] / theirs["history"][depth]["pages_per_s"]
            yield Aim(f"history, {depth} pages, socket", 8, ratio, False, " × the baseline")


def _alone(ours: dict[str, Any]) -> Iterator[Aim]:
    if "history" in ours:
        pages = ours["history"]
        ratio = pages["deep"]["owner_cpu_ms_per_page"] / max(1e-9, pages["newest"]["owner_cpu_ms_per_page"])
        yield Aim("cost of a deep page", 1.2, ratio, True, " × the newest")
    if "memory" in ours:
        size = ours["memory"]["gateway_bytes_per_connection"] / 1000
        yield Aim("gateway memory per idle connection", 10, size, True, " kB")
    if "observability" in ours:
        share = ours["observability"]["observability_share"] * 100
        yield Aim("logs, spans and metrics, of the send path's CPU", 5, share, True, " %")
    if "idle" in ours:
        yield Aim("p99 send → receipt, idle system", 10, ours["idle"]["receipt_p99_ms"], True, " ms")
