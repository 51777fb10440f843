"""The aims: figures with a unit and a limit, for each server that has them, and their ratio to the peers'.

All CPU is that of everything that serves on the core: nginx, gateways, services, stores, the database server.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

PEERS = ("baseline", "socketio")
OURS = ("webchat", "mariadb")
"""WebChat on SQLite and on MariaDB. The aims hold for both."""

Scenes = Mapping[str, Any]


@dataclass(frozen=True)
class Aim:
    """`limit` is the most, or the least if `at_most` is false. Without a limit the figure is only compared."""

    what: str
    unit: str
    limit: float | None
    figure: Callable[[Scenes], float]
    """Raises KeyError or IndexError if the server has not played the scene."""
    at_most: bool = True
    is_compared: bool = True
    """False for figures that mean nothing beside another server's."""


@dataclass(frozen=True)
class Outcome:
    """The figures of one aim by server, of those that have it."""

    aim: Aim
    figures: Mapping[str, float] = field(default_factory=dict)

    def is_met(self, server: str) -> bool | None:
        """Return None if there is no limit."""
        if self.aim.limit is None:
            return None
        figure = self.figures[server]
        return figure <= self.aim.limit if self.aim.at_most else figure >= self.aim.limit

    @property
    def is_compared(self) -> bool:
        return self.aim.is_compared and any(peer in self.figures for peer in PEERS)

    def ratio(self, peer: str) -> float | None:
        """Return how many times the peer's figure WebChat's is, or None without both figures."""
        return ratio(self.figures.get("webchat"), self.figures.get(peer)) if self.aim.is_compared else None


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return `ours` ÷ `theirs`, or None if one is missing or nothing was counted for the peer."""
    return ours / theirs if ours is not None and theirs else None


def _fanout(index: int, name: str) -> Callable[[Scenes], float]:
    """Return the figure of the second-largest (-2) or largest (-1) room."""
    return lambda scenes: float(scenes["fanout"][index][name])


def _at(*path: str, scale: float = 1.0) -> Callable[[Scenes], float]:
    def figure(scenes: Scenes) -> float:
        value: Any = scenes
        for name in path:
            value = value[name]
        return float(value) * scale

    return figure


def _deep_page(scenes: Scenes) -> float:
    pages = scenes["history"]
    return float(pages["deep"]["owner_cpu_ms_per_page"] / max(1e-9, pages["newest"]["owner_cpu_ms_per_page"]))


def _gain(scene: str) -> Callable[[Scenes], float]:
    """Return the gain of a second core, without the load's CPU where the load shares the cores."""

    def figure(scenes: Scenes) -> float:
        two = scenes["two_cores"]
        return float(two[scene]["ratio_without_load" if two["load_shares_the_cores"] else "ratio"])

    return figure


KIB = 1 / 1024
AIMS = (
    Aim("fan-out to 200 members", "CPU-s per million deliveries", 1.5,
        _fanout(-2, "all_cpu_s_per_million")),
    Aim("fan-out to 1,000 members", "CPU-s per million deliveries", 0.9,
        _fanout(-1, "all_cpu_s_per_million")),
    Aim("200 rooms of three", "CPU-s per 10,000 committed texts", 2.0,
        _at("small_rooms", "full_speed", "cpu_s_per_10000")),
    Aim("send → receipt, 200 members, 10 texts/s, p50", "ms", 4, _at("fixed_rate", "receipt_p50_ms")),
    Aim("send → receipt, 200 members, 10 texts/s, p99", "ms", 8, _at("fixed_rate", "receipt_p99_ms")),
    Aim("send → receipt, an idle system, p50", "ms", None, _at("idle", "receipt_p50_ms")),
    Aim("send → receipt, an idle system, p99", "ms", None, _at("idle", "receipt_p99_ms")),
    Aim("an idle connection, nginx and gateway", "KiB", 20, _at("memory", "bytes_per_connection", scale=KIB)),
    Aim("an idle connection among very many", "KiB", 20, _at("crowd", "bytes_per_connection", scale=KIB)),
    Aim("the newest page of 50 over HTTP", "CPU-ms", 0.4, _at("history", "newest", "all_cpu_ms_per_page")),
    Aim("a deep page of 50 over HTTP", "CPU-ms", None, _at("history", "deep", "all_cpu_ms_per_page")),
    Aim("rooms' CPU for a deep page", "× the newest", 1.2, _deep_page, is_compared=False),
    Aim("a socket that reconnects after its gateway died", "CPU-ms", 2,
        _at("crowd", "lost_gateway", "cpu_ms_per_socket")),
    Aim("two cores, small rooms", "× one core", 1.7, _gain("small_rooms"), at_most=False),
    Aim("two cores, fan-out", "× one core", 1.7, _gain("fanout"), at_most=False),
    Aim("logs, spans and metrics", "% of the send path's CPU", 5,
        _at("observability", "observability_share", scale=100)),
)  # fmt: skip


def outcomes_of(found: Mapping[str, Any]) -> list[Outcome]:
    """Return the aims for which WebChat has figures."""
    outcomes = [Outcome(aim, dict(_figures(aim, found))) for aim in AIMS]
    return [outcome for outcome in outcomes if any(server in outcome.figures for server in OURS)]


def _figures(aim: Aim, found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for server in (*OURS, *PEERS):
        with suppress(KeyError, IndexError):
            yield server, aim.figure(found.get(server, {}))


def further_receiver_cpu(few: Scenes, many: Scenes) -> float:
    """Return the gateways' CPU-seconds per million deliveries, without the fixed cost of a message.

    The fixed cost covers accepting the message, committing it, answering the sender and reading it from Redis.
    """
    message = few["gateway_cpu_s_per_million"] * few["receivers"]
    of_many = many["gateway_cpu_s_per_million"] * many["receivers"] - message
    return float(of_many / (many["receivers"] - few["receivers"]))
