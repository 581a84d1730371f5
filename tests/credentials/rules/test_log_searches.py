"""Searches of a store's log: the key and the times, and nothing that a query would read."""

from datetime import UTC, datetime

from credentials.rules.log_searches import Search, log_searches

BEGIN = datetime(2026, 11, 26, 14, 30, 5, tzinfo=UTC)
END = datetime(2026, 11, 26, 15, 30, 5, tzinfo=UTC)


def searches(access_key_id: str) -> list[Search]:
    return list(log_searches(access_key_id=access_key_id, begins_at=BEGIN, ends_at=END))


LAKE = """\
SELECT eventTime, eventName, sourceIPAddress, userAgent, errorCode, requestParameters
FROM EVENT_DATA_STORE_ID
WHERE userIdentity.accessKeyId = 'ASIAIOSFODNN7EXAMPLE'
  AND eventTime >= '2026-11-26 14:30:05' AND eventTime <= '2026-11-26 15:30:05'
ORDER BY eventTime"""
ATHENA = """\
SELECT eventtime, eventname, sourceipaddress, useragent, errorcode, requestparameters
FROM cloudtrail_logs
WHERE useridentity.accesskeyid = 'ASIAIOSFODNN7EXAMPLE'
  AND eventtime >= '2026-11-26T14:30:05Z' AND eventtime <= '2026-11-26T15:30:05Z'
ORDER BY eventtime"""
INSIGHTS = """\
fields eventTime, eventName, sourceIPAddress, userAgent, errorCode,
  requestParameters.bucketName, requestParameters.key
| filter userIdentity.accessKeyId = "ASIAIOSFODNN7EXAMPLE"
| sort eventTime asc
| limit 10000"""
PLACES = (
    "CloudTrail Lake (put in the id of your event data store)",
    "Athena (put in the name of your table)",
    "CloudWatch Logs Insights (choose 2026-11-26 14:30:05 to 2026-11-26 15:30:05 UTC)",
)


def test_each_search_asks_for_the_key_and_the_times() -> None:
    found = searches("ASIAIOSFODNN7EXAMPLE")
    assert found == [Search(*each) for each in zip(PLACES, (LAKE, ATHENA, INSIGHTS), strict=True)]


def test_key_that_is_more_than_plain_text_gives_no_search() -> None:
    for key in ["", "x' OR '1'='1", 'a"b', "a\\b", "a\nb", "a b", "x" * 129]:
        assert searches(key) == [], key
