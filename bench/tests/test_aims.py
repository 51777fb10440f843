"""The arithmetic of the aims, the ratios to the peers and the gain of a second core."""

from typing import Any

import pytest
from bench.aims import AIMS, Outcome, outcomes_of, ratio
from bench.scenes.two_cores import gain
from bench.tally import body_of
from bench.usage import Usage

FANOUT = [{"all_cpu_s_per_million": 9.0}, {"all_cpu_s_per_million": 3.0}, {"all_cpu_s_per_million": 0.8}]


def _outcome(found: dict[str, Any], what: str) -> Outcome:
    return next(outcome for outcome in outcomes_of(found) if outcome.aim.what == what)


def test_a_figure_is_compared_with_the_limit_and_with_each_peer() -> None:
    found = {
        "webchat": {"fanout": FANOUT},
        "mariadb": {"fanout": [{"all_cpu_s_per_million": 1.5}] * 3},
        "socketio": {"fanout": [{"all_cpu_s_per_million": 12.0}, {"all_cpu_s_per_million": 4.0}]},
    }
    medium, large = (_outcome(found, f"fan-out to {members} members") for members in ("200", "1,000"))
    assert medium.figures == {"webchat": 3.0, "mariadb": 1.5, "socketio": 12.0}
    assert (medium.is_met("webchat"), medium.is_met("mariadb"), large.is_met("webchat")) == (False, True, True)
    assert (medium.ratio("socketio"), medium.ratio("baseline"), large.ratio("socketio")) == (0.25, None, 0.2)


def test_only_aims_with_figures_of_webchat_are_listed() -> None:
    idle = {"receipt_p50_ms": 2.0, "receipt_p99_ms": 5.0}
    assert outcomes_of({"socketio": {"idle": idle}}) == []
    outcomes = outcomes_of({"webchat": {"idle": idle}, "baseline": {"idle": idle}})
    assert [outcome.ratio("baseline") for outcome in outcomes] == [1.0, 1.0]
    assert [outcome.is_met("webchat") for outcome in outcomes] == [None, None]


def test_the_gain_of_a_core_must_reach_its_limit() -> None:
    sides = {"ratio": 1.2, "ratio_without_load": 1.75}
    shared = {"webchat": {"two_cores": {"load_shares_the_cores": True, "small_rooms": sides, "fanout": sides}}}
    alone = {"webchat": {"two_cores": {"load_shares_the_cores": False, "small_rooms": sides, "fanout": sides}}}
    assert _outcome(shared, "two cores, small rooms").is_met("webchat")
    assert not _outcome(alone, "two cores, small rooms").is_met("webchat")


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [(3.0, 2.0, 1.5), (0.0, 2.0, 0.0), (3.0, 0.0, None), (None, 2.0, None), (3.0, None, None)],
)
def test_a_ratio_needs_both_figures(ours: float | None, theirs: float | None, expected: float | None) -> None:
    assert ratio(ours, theirs) == expected


def test_the_load_is_taken_out_of_the_gain_only_where_it_shares_the_cores() -> None:
    one, two = {"units_per_s": 1000.0, "load_cpu_per_s": 0.4}, {"units_per_s": 1500.0, "load_cpu_per_s": 0.5}
    assert gain(one, two, shared=True) == {"ratio": 1.5, "ratio_without_load": 2.0}
    assert gain(one, two, shared=False) == {"ratio": 1.5, "ratio_without_load": 1.5}


def test_every_aim_has_a_name_of_its_own() -> None:
    names = [aim.what for aim in AIMS]
    assert len(names) == len(set(names))


def test_a_process_that_replaces_a_killed_one_is_counted_from_its_start() -> None:
    before = Usage({"nginx": 1.0, "gateway": 5.0}, {"nginx": 0, "gateway": 9}, {"nginx": 10, "gateway": 20})
    after = Usage({"nginx": 1.5, "gateway": 2.0}, {"nginx": 0, "gateway": 3}, {"nginx": 10, "gateway": 8})
    assert after.since(before.without("gateway")) == Usage(
        {"nginx": 0.5, "gateway": 2.0}, {"nginx": 0, "gateway": 3}, {"nginx": 0, "gateway": 8}
    )


def test_texts_have_200_bytes() -> None:
    assert {len(body_of(index).encode()) for index in (0, 99_999_999)} == {200}
