import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.domain.search import prefix_range

IDS = st.text("abyz019_.", min_size=1, max_size=20)


@given(IDS, IDS)
def test_an_id_is_in_the_range_if_and_only_if_it_has_the_prefix(prefix, webchat_id):
    span = prefix_range(prefix)
    assert span is not None
    assert (span[0] <= webchat_id < span[1]) == webchat_id.startswith(prefix)


@pytest.mark.parametrize("typed", ["", "a b", "ä", "a%", "a*", "a" * 21, "a\n"])
def test_impossible_prefixes(typed):
    assert prefix_range(typed) is None


def test_case_is_folded():
    assert prefix_range("ANNA") == ("anna", "annb")
