from hypothesis import given
from hypothesis import strategies as st

from shared.rates import Rate, take

RATE = Rate(burst=5, every_ms=1000)


def test_a_burst_then_one_each_second():
    full_at, waits = 0, []
    for now in [10_000] * 6 + [11_000] * 2:
        full_at, wait = take(full_at, now, RATE)
        waits.append(wait)
    assert waits == [0, 0, 0, 0, 0, 1000, 0, 1000]


@given(st.lists(st.integers(0, 500), max_size=200))
def test_no_period_has_more_than_the_burst_and_the_rate_allow(gaps):
    now, full_at, taken = 1_000_000, 0, []
    for gap in gaps:
        now += gap
        full_at, wait = take(full_at, now, RATE)
        if not wait:
            taken.append(now)
        else:
            assert take(full_at, now + wait - 1, RATE)[1] > 0
            assert take(full_at, now + wait, RATE)[1] == 0
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= RATE.burst + (taken[last] - start) / RATE.every_ms
