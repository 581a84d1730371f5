"""How long a session lives: never under 900 s, never over the role's or the product's longest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.errors import DurationOutOfRange
from credentials.rules.durations import REFRESHING_MINIMUM, SESSION_MINIMUM, DurationLimits

# product, default, role -> longest, usual, refreshing
LIMITS = {
    "nothing set": ((None, 1800, 3600), (3600, 1800, 1800)),
    "short default": ((None, 900, 3600), (3600, 900, 1800)),
    "long default": ((None, 7200, 43_200), (43_200, 7200, 7200)),
    "default over the role's": ((None, 7200, 3600), (3600, 3600, 3600)),
    "product under the default": ((1200, 1800, 3600), (1200, 1200, 1800)),
    "product over the default": ((2700, 1800, 3600), (2700, 2700, 2700)),
    "product over the role's": ((7200, 1800, 3600), (3600, 3600, 3600)),
    "shortest product": ((900, 1800, 3600), (900, 900, 1800)),
    "role under what refreshing needs": ((None, 1800, 1200), (1200, 1200, 1200)),
    "shortest role": ((3600, 1800, 900), (900, 900, 900)),
}


def limits(product: int | None, default: int, role: int) -> DurationLimits:
    return DurationLimits(product_seconds=product, default_seconds=default, role_max_seconds=role)


def test_limits_follow_from_product_setting_and_role() -> None:
    for case, (settings, expected) in LIMITS.items():
        found = limits(*settings)
        assert (found.longest, found.usual, found.refreshing) == expected, case


ASKED = {
    "nothing": (None, 1800, None),
    "the least": (900, 900, None),
    "the most": (3600, 3600, None),
    "between": (1801, 1801, None),
    "a second too little": (899, None, "900 to 3600"),
    "a second too much": (3601, None, "900 to 3600"),
    "less than nothing": (-900, None, "900 to 3600"),
}


def test_asked_duration_is_given_or_refused_with_the_range() -> None:
    for case, (asked, expected, sentence) in ASKED.items():
        if sentence is None:
            assert limits(None, 1800, 3600).choose(asked) == expected, case
            return
        with pytest.raises(DurationOutOfRange, match=f"duration_seconds must be {sentence}"):
            limits(None, 1800, 3600).choose(asked)


def test_product_s_duration_is_its_ceiling() -> None:
    with pytest.raises(DurationOutOfRange, match="900 to 1200"):
        limits(1200, 1800, 3600).choose(1201)


any_limits = st.builds(
    limits, st.none() | st.integers(900, 43_200), st.integers(900, 43_200), st.integers(900, 43_200)
)


@given(limits=any_limits, asked=st.none() | st.integers(-(2**40), 2**40))
def test_no_session_is_shorter_than_sts_takes_or_longer_than_the_role(
    limits: DurationLimits, asked: int | None
) -> None:
    given_ones = [limits.usual, limits.refreshing]
    try:
        given_ones.append(limits.choose(asked))
    except DurationOutOfRange:
        assert asked is not None
        assert not SESSION_MINIMUM <= asked <= limits.longest
    assert all(900 <= seconds <= limits.role_max_seconds for seconds in given_ones)


@given(any_limits)
def test_refreshing_is_given_1800_seconds_where_the_role_allows(limits: DurationLimits) -> None:
    assert limits.refreshing >= min(1800, limits.role_max_seconds)
    assert limits.refreshing >= limits.usual


@given(any_limits)
def test_what_is_given_unasked_may_also_be_asked_for(limits: DurationLimits) -> None:
    assert limits.choose(limits.usual) == limits.choose(None) == limits.usual


def test_minimums_are_aws_s_and_botocore_s() -> None:
    assert (SESSION_MINIMUM, REFRESHING_MINIMUM) == (900, 1800)


def test_signing_session_has_what_is_wanted_as_far_as_it_is_allowed() -> None:
    for wanted, allowed in [(60, 900), (1200, 1200), (7200, 3600)]:
        limits = DurationLimits(product_seconds=None, default_seconds=1800, role_max_seconds=3600)
        assert limits.presigned(wanted) == allowed, wanted
