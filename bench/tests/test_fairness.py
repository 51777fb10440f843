"""The parts of the fairness run: the rule, the lines, and a quick run of a few attacks on a stack."""

import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from bench.client.http_client import with_cookies
from bench.fairness.attacks import ATTACKS
from bench.fairness.judge import Outcome, Sample, compare
from bench.fairness.report import achieved, line, summary
from bench.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
QUIET = Sample({"send": [0.02] * 100, "search": [0.1] * 100})


def _outcome(attacked: Sample) -> Outcome:
    counts = {"frames": 400, "bytes": 2_000_000, "closed 1008": 3}
    return Outcome("typing", 2.0, counts, attacked, compare(QUIET, attacked), 0.1, "rooms 40%")


@pytest.mark.parametrize(
    ("send", "search", "unfair"),
    [
        pytest.param(0.02, 0.1, [], id="nothing changed"),
        pytest.param(0.05, 0.3, [], id="at the limits"),
        pytest.param(0.061, 0.1, ["send"], id="over three times and over the floor"),
        pytest.param(0.05, 0.31, ["search"], id="over three times"),
        pytest.param(0.3, 0.4, ["send", "search"], id="both, the worst first"),
    ],
)
def test_an_action_is_fair_up_to_three_times_the_quiet_time_or_the_floor(
    send: float, search: float, unfair: list[str]
) -> None:
    outcome = _outcome(Sample({"send": [send] * 100, "search": [search] * 100}))
    assert [one.action for one in outcome.unfair] == unfair
    assert outcome.is_fair is (not unfair)


def test_one_slow_action_in_a_hundred_is_fair_and_two_are_not() -> None:
    one, two = ([0.02] * (100 - slow) + [1.0] * slow for slow in (1, 2))
    assert _outcome(Sample({"send": one, "search": [0.1]})).is_fair
    assert not _outcome(Sample({"send": two, "search": [0.1]})).is_fair


def test_an_action_that_nobody_could_do_is_unfair() -> None:
    outcome = _outcome(Sample({"send": [0.02]}))
    assert [one.action for one in outcome.unfair] == ["search"]
    assert math.isnan(outcome.worst.attacked_s)
    assert "search 100 → – ms (× –)" in line(outcome)


def test_an_error_of_an_ordinary_person_is_unfair() -> None:
    outcome = _outcome(Sample(QUIET.times, Counter({"send: refused": 2})))
    assert not outcome.is_fair
    assert outcome.unfair == []
    assert "UNFAIR" in line(outcome)
    assert "errors 2 (send: refused × 2)" in line(outcome)
    assert summary([outcome]).startswith("unfair under 1 of 1 (typing)")


def test_a_line_gives_rates_by_second_and_other_counts_as_they_are() -> None:
    counts = {"frames": 400, "bytes": 2_000_000, "closed 1008": 3}
    assert achieved(counts, 2.0) == "200 frames/s, 1.0 MB/s, closed 1008 × 3"
    assert achieved({}, 2.0) == "nothing"


def test_a_client_keeps_all_cookies_that_are_set() -> None:
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: webchat_session=b; Path=/\r\nset-cookie: device=c; Max-Age=9"
    assert with_cookies("webchat_session=a; other=d", head) == "webchat_session=b; other=d; device=c"
    assert with_cookies("webchat_session=a", b"HTTP/1.1 204 X\r\nSet-Cookie: webchat_session=; Max-Age=0") == ""


def test_an_error_of_an_earlier_phase_is_not_counted() -> None:
    earlier = Tally(1)
    number = earlier.add(0.0)
    tally = Tally(1)
    tally.on_text(b'{"op":"error","id":"%d","code":"unavailable"}' % number)
    assert tally.errors == 0
    tally.on_text(b'{"op":"error","id":"%d","code":"unavailable"}' % tally.add(0.0))
    tally.on_text(b'{"op":"error","code":"rate_limited"}')
    assert tally.errors == 2


@pytest.mark.timeout(300)
def test_a_quick_run_prints_a_line_for_each_attack_and_writes_the_tables(tmp_path: Path) -> None:
    """The figures of a quick run mean nothing, so it may end with either verdict."""
    attacks = [
        "nothing",
        "typing",
        "unread-answers",
        "opened-sockets",
        "search",
        "small-uploads",
        "slow-uploads",
        "downloads",
    ]
    table = tmp_path / "table.md"
    command = [
        sys.executable,
        "-m",
        "bench.fairness",
        "--quick",
        "--attacks",
        ",".join(attacks),
        "--markdown",
        str(table),
    ]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr[-3000:]
    assert done.stderr == ""
    lines = {words[0]: " ".join(words[1:]) for words in map(str.split, done.stdout.splitlines())}
    assert [name for name in lines if name in ATTACKS] == attacks
    expected = {
        "typing": "frames/s",
        "opened-sockets": "sockets/s",
        "search": "status 200",
        "small-uploads": "status 201",
    }
    for name, did in (expected | {"downloads": "MB/s"}).items():
        assert did in lines[name], lines[name]
    text = table.read_text()
    assert all(text.count(f"| `{name}` |") == 3 for name in attacks)


def test_an_unknown_attack_is_refused() -> None:
    command = [sys.executable, "-m", "bench.fairness", "--attacks", "kindness"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no kindness" in done.stderr
