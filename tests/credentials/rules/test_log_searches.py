"""Searches of a store's log: the key and the times, and nothing that a query would read."""

from datetime import UTC, datetime

import pytest

from credentials.rules.log_searches import Search, log_searches

BEGIN = datetime(2026, 11, 26, 14, 30, 5, tzinfo=UTC)
END = datetime(2026, 11, 26, 15, 30, 5, tzinfo=UTC)


def searches(access_key_id: str) -> list[Search]:
    return list(log_searches(access_key_id=access_key_id, begins_at=BEGIN, ends_at=END))


def test_each_search_names_the_key_and_the_times() -> None:
    lake, athena, insights = searches("ASIAIOSFODNN7EXAMPLE")
    assert all("ASIAIOSFODNN7EXAMPLE" in each.text for each in (lake, athena, insights))
    assert "eventTime >= '2026-11-26 14:30:05'" in lake.text
    assert "eventtime <= '2026-11-26T15:30:05Z'" in athena.text
    assert "2026-11-26 14:30:05 to 2026-11-26 15:30:05 UTC" in insights.place


@pytest.mark.parametrize("key", ["", "x' OR '1'='1", 'a"b', "a\\b", "a\nb", "a b", "x" * 129])
def test_key_that_is_more_than_plain_text_gives_no_search(key: str) -> None:
    assert searches(key) == []
