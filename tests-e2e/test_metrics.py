"""/metrics of a real stack: it is valid, changes with the users' actions, and has every name in use."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml
from people import Person
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from scraping import GATEWAYS, page_of
from stack import Stack
from waiting import eventually

from canary.metrics import CanaryMetrics

ROOT = Path(__file__).parents[1]
SERVICES = ("auth", "social", "rooms", "media", "chat-gateway-1", "ops")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
NAME = re.compile(r"\b(?:webchat|process)_[a-z0-9_]*[a-z0-9]\b")
RISES = {
    "webchat_starts_total": 2,
    "webchat_events_delivered_total": 10,
    "webchat_lane_batch_commands_sum": 5,
    "webchat_fanout_lag_seconds_count": 1,
    "webchat_commit_batch_commands_sum": 5,
    "webchat_events_published_total": 5,
}
"""The minimum increases for five messages to two new users."""
CHAPTERS = ("Metrics", "The canary")


def names_of(families: list[Metric]) -> set[str]:
    return {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ("",))}


def names_in_use() -> dict[str, set[str]]:
    """Return the metric names used in each place. Names with a colon are replaced by those in their recording rule."""
    files = [yaml.safe_load((ROOT / f"deploy/prometheus/{name}.yml").read_text()) for name in ("recording", "alerts")]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    panels = json.loads((ROOT / "deploy/grafana/webchat.json").read_text())["panels"]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    chapters = (ROOT / "docs" / "observability.md").read_text().split("\n## ")
    texts = {
        "rules": " ".join(rule["expr"] for rule in rules),
        "runbooks": " ".join(rule["annotations"]["runbook"] for rule in rules if "annotations" in rule),
        "dashboard": " ".join(target["expr"] for panel in panels for target in panel.get("targets", ())),
        "docs": " ".join(chapter for chapter in chapters if chapter.startswith(CHAPTERS)),
    }
    for where, text in texts.items():
        reckoned = set(re.findall(r"\w+:\w+:\w+", text))
        assert reckoned <= recorded, where
    return {where: set(NAME.findall(re.sub(r"\w+:\w+:\w+", "", text))) for where, text in texts.items()}


def test_every_name_in_rules_dashboard_and_docs_is_exposed_by_a_service(stack: Stack) -> None:
    exposed = names_of(list(text_string_to_metric_families(generate_latest(CanaryMetrics().registry).decode())))
    for service in SERVICES:
        own = page_of(stack, service)
        assert {family.name for family in own} >= {"webchat_http_requests", "webchat_load_ratio", "process_open_fds"}
        exposed |= names_of(own)
    in_use = names_in_use()
    assert all(in_use.values()), in_use
    documented = in_use["docs"]
    shown = exposed | {name.rpartition("_")[0] for name in exposed if name.endswith("_bucket")}
    unknown = {where: names - shown for where, names in in_use.items()}
    assert unknown == {where: set() for where in unknown}
    bases = {name for name in shown if name.startswith("webchat_") and not name.endswith(("_bucket", "_count", "_sum"))}
    assert {name for name in bases - documented if not name.startswith("webchat_canary_")} == set()


async def test_figures_follow_what_people_do(stack: Stack, someone: Callable[[str], Awaitable[Person]]) -> None:
    ana, ben = await someone("anna"), await someone("benn")
    room_id = await ana.group("Figures", ben)

    def figures() -> list[float]:
        families = [family for name in ("rooms", *GATEWAYS) for family in page_of(stack, name)]
        samples = [sample for family in families for sample in family.samples]
        return [sum(sample.value for sample in samples if sample.name == name) for name in RISES]

    before = await asyncio.to_thread(figures)
    one, other = await ana.open(), await ben.open()
    for number in range(5):
        await one.send(room_id, f"{number}")
    await other.event("message.created", body="4")

    async def risen() -> bool:
        after = await asyncio.to_thread(figures)
        rises = {name: now - then for name, now, then in zip(RISES, after, before, strict=True)}
        assert all(rises[name] >= least for name, least in RISES.items()), rises
        return True

    await eventually(risen)
    await one.close()
    await other.close()
