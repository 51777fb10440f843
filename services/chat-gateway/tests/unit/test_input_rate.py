"""The rates of what a socket sends besides frames of the protocol."""

from collections.abc import Callable

import pytest

from chat_gateway.protocol.limits import MAX_WEBSOCKET_MESSAGE_BYTES, Limits
from chat_gateway.protocol.rates import InputRate, TokenBucket
from shared.redis.person_rate import UPLOADS_OF_ONE

RATES = {"control_frames_per_second": 2, "control_burst": 3, "fragments_per_second": 2, "fragment_burst": 3}
TAKES = [InputRate.take_control, InputRate.take_fragment]


@pytest.mark.parametrize("take", TAKES)
def test_a_burst_is_allowed_and_then_the_rate(take: Callable[[InputRate, float], bool]):
    rate = InputRate(Limits(**RATES), 100.0)  # type: ignore[arg-type]
    assert [take(rate, 100.0) for _ in range(4)] == [True, True, True, False]
    assert [take(rate, 100.5) for _ in range(2)] == [True, False]
    assert [take(rate, 500.0) for _ in range(4)] == [True, True, True, False]


def test_bytes_are_counted_by_their_number():
    rate = InputRate(Limits(bytes_per_second=10, byte_burst=100), 0.0)
    assert [rate.take_bytes(0.0, count) for count in (60, 41, 40, 1)] == [True, False, True, False]
    assert [rate.take_bytes(1.0, count) for count in (10, 1)] == [True, False]


def test_the_rates_are_counted_separately():
    rate = InputRate(Limits(**RATES, byte_burst=1), 0.0)  # type: ignore[arg-type]
    assert not all(rate.take_control(0.0) for _ in range(4))
    assert rate.take_fragment(0.0)
    assert rate.take_bytes(0.0, 1)


def test_without_rates_anything_is_allowed():
    rate = InputRate(Limits(rates=False, control_burst=0, fragment_burst=0, byte_burst=0), 0.0)
    assert rate.take_control(0.0)
    assert rate.take_fragment(0.0)
    assert rate.take_bytes(0.0, 1)


def test_tokens_that_are_missing_are_not_taken():
    bucket = TokenBucket(1, 5, 0.0)
    assert not bucket.take(0.0, 6)
    assert bucket.take(0.0, 5)
    assert not bucket.take(0.5)
    assert bucket.take(1.0)


def test_a_client_may_send_its_uploads_of_a_minute_at_once_in_fragments_of_2_kib():
    limits = Limits()
    assert limits.byte_burst >= UPLOADS_OF_ONE.burst * MAX_WEBSOCKET_MESSAGE_BYTES
    assert limits.fragment_burst * 2048 >= MAX_WEBSOCKET_MESSAGE_BYTES
    assert limits.bytes_per_second >= limits.frames_per_second * limits.frame_bytes
