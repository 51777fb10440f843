"""The audit trail: fields, destination, and limits on lines that a stranger can cause."""

import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from shared.logging.audit import FAILURES_AT_ONCE, KINDS, KINDS_A_PERIOD, _trail, audit, network_of, open_trail
from shared.logging.setup import RecordFilter, hash_user

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "logs" / "line.schema.json").read_text())
KEY = SecretStr("k" * 32)


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Callable[[], list[dict]]]:
    """A function that returns all lines of the trail's file, including summaries."""
    file = tmp_path / "audit" / "auth.log"
    handler = open_trail(RecordFilter(KEY), "auth", file, sys.stdout)

    def lines() -> list[dict]:
        handler.write_summaries()
        found = [json.loads(line) for line in file.read_text().splitlines()]
        for line in found:
            Draft202012Validator(SCHEMA).validate(line)
        return found

    yield lines
    _trail.removeHandler(handler)
    handler.close()


def test_every_action_matches_the_schema_and_hides_user_ids(trail: Callable[[], list[dict]]):
    for action in KINDS:
        audit(action, user_id="01USER", target_id="01OTHER", address="203.0.113.7", room_id="01ROOM", roles=["admin"])
    lines = trail()
    assert [line["event.action"] for line in lines] == list(KINDS)
    assert {line["event.dataset"] for line in lines} == {"webchat.audit"}
    assert {(line["user.id"], line["user.target.id"], line["source.ip"]) for line in lines} == {
        (hash_user(KEY, "01USER"), hash_user(KEY, "01OTHER"), "203.0.113.0")
    }


def test_only_the_owner_can_read_the_file(trail: Callable[[], list[dict]], tmp_path: Path):
    audit("sign-in", user_id="01USER")
    assert trail()
    assert stat.S_IMODE((tmp_path / "audit" / "auth.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o700


def test_failures_are_summarized_by_account_and_network_and_successes_are_not(trail: Callable[[], list[dict]]):
    for _ in range(100):
        audit("sign-in", outcome="failure", user_id="01USER", address="203.0.113.7", reason="wrong password")
        audit("sign-in", user_id="01USER", address="203.0.113.7")
    audit("sign-in", outcome="failure", user_id="01OTHER", address="203.0.113.7", reason="wrong password")
    lines = trail()
    failed = [line for line in lines if line["event.outcome"] == "failure"]
    assert len(lines) - len(failed) == 100
    assert len(failed) == FAILURES_AT_ONCE + 1 + 1
    assert sum(line.get("webchat.count", 1) for line in failed) == 101


def test_lines_per_period_are_bounded_for_any_number_of_accounts(trail: Callable[[], list[dict]]):
    for number in range(5_000):
        audit("sign-in", outcome="failure", address=f"10.{number // 250}.{number % 250}.1", reason="no such account")
    lines = trail()
    assert len(lines) <= KINDS_A_PERIOD + FAILURES_AT_ONCE + 1
    assert sum(line.get("webchat.count", 1) for line in lines) == 5_000


def test_a_line_that_cannot_be_written_goes_to_the_log(
    trail: Callable[[], list[dict]], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "audit" / "auth.log"
    file.parent.chmod(0o700)
    file.mkdir()  # a folder instead of the file
    audit("role-change", user_id="01USER")
    assert "not written to the audit trail: role-change: success" in caplog.text
    file.rmdir()
    audit("sign-in", user_id="01USER")
    assert [line["event.action"] for line in trail()] == ["sign-in"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0"), ("2001:db8:1:2::3", "2001:db8:1::"), ("::ffff:203.0.113.77", "203.0.113.0"),
        ("", ""), ("nonsense", ""),
    ],
)  # fmt: skip
def test_addresses_are_reduced_to_networks(address: str, network: str):
    assert network_of(address) == network
