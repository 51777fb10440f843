import pytest

from auth.domain.signing_keys import (
    KEPT_MS,
    PUBLISHED_FIRST_MS,
    KeyAge,
    expired_generations,
    needs_new_key,
    signing_generation,
)  # fmt: skip

DAY = 24 * 3600 * 1000
NOW = 1000 * DAY


def key(generation: int, age: int, *, can_sign: bool = True) -> KeyAge:
    return KeyAge(generation, NOW - age, can_sign)


@pytest.mark.parametrize(
    ("keys", "needed"),
    [
        ([], True),
        ([key(1, 0)], False),
        ([key(1, 30 * DAY - 1)], False),
        ([key(1, 30 * DAY)], True),
        ([key(2, DAY, can_sign=False), key(1, 40 * DAY)], True),
        ([key(2, 31 * DAY), key(1, DAY)], False),
    ],
)
def test_when_a_new_key_is_needed(keys, needed):
    assert needs_new_key(keys, NOW, 30 * DAY) is needed


@pytest.mark.parametrize(
    ("keys", "signs"),
    [
        ([key(1, 0)], 1),
        ([key(2, 0), key(1, 30 * DAY)], 1),
        ([key(2, PUBLISHED_FIRST_MS), key(1, 30 * DAY)], 2),
        ([key(2, DAY, can_sign=False), key(1, 2 * DAY)], 1),
        ([key(2, 0), key(1, DAY, can_sign=False)], 2),
    ],
)
def test_which_key_signs(keys, signs):
    assert signing_generation(keys, NOW) == signs


@pytest.mark.parametrize(
    ("keys", "expired"),
    [
        ([key(1, 900 * DAY)], []),
        ([key(2, PUBLISHED_FIRST_MS), key(1, 900 * DAY)], []),
        ([key(2, PUBLISHED_FIRST_MS + KEPT_MS + 1), key(1, 900 * DAY)], [1]),
        ([key(3, 0), key(2, DAY), key(1, 2 * DAY)], [1]),
    ],
)
def test_which_keys_are_expired(keys, expired):
    assert expired_generations(keys, NOW) == expired
