"""Text to paste where a store's own log is searched for what a session did. Pure.

Only an access key id and times are in it. Sources: AWS CloudTrail user guide, "CloudTrail Lake
queries" (times as `YYYY-MM-DD hh:mm:ss`) and "CloudTrail userIdentity element"; Amazon Athena user
guide, "Query AWS CloudTrail logs" (`eventtime` is text in ISO 8601); CloudWatch Logs Insights,
"Supported logs and discovered fields" and "limit" (at most 10,000).
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

# What can stand in a query without being read as a part of it.
_PLAIN = re.compile(r"[A-Za-z0-9_.+=/-]{1,128}\Z")


class Search(NamedTuple):
    """Where to paste a text, and the text."""

    place: str
    text: str


def log_searches(*, access_key_id: str, begins_at: datetime, ends_at: datetime) -> Sequence[Search]:
    """One search for each place; none for a key id that a query would not take as plain text."""
    if not _PLAIN.match(access_key_id):
        return ()
    return (
        Search(
            "CloudTrail Lake (put in the id of your event data store)",
            _lake(access_key_id, f"{begins_at:%F %T}", f"{ends_at:%F %T}"),
        ),
        Search(
            "Athena (put in the name of your table)",
            _athena(access_key_id, f"{begins_at:%FT%TZ}", f"{ends_at:%FT%TZ}"),
        ),
        Search(
            f"CloudWatch Logs Insights (choose {begins_at:%F %T} to {ends_at:%F %T} UTC)",
            _insights(access_key_id),
        ),
    )


def _lake(key: str, begin: str, end: str) -> str:
    return (
        "SELECT eventTime, eventName, sourceIPAddress, userAgent, errorCode, requestParameters\n"
        "FROM EVENT_DATA_STORE_ID\n"
        f"WHERE userIdentity.accessKeyId = '{key}'\n"
        f"  AND eventTime >= '{begin}' AND eventTime <= '{end}'\n"
        "ORDER BY eventTime"
    )


def _athena(key: str, begin: str, end: str) -> str:
    return (
        "SELECT eventtime, eventname, sourceipaddress, useragent, errorcode, requestparameters\n"
        "FROM cloudtrail_logs\n"
        f"WHERE useridentity.accesskeyid = '{key}'\n"
        f"  AND eventtime >= '{begin}' AND eventtime <= '{end}'\n"
        "ORDER BY eventtime"
    )


def _insights(key: str) -> str:
    return (
        "fields eventTime, eventName, sourceIPAddress, userAgent, errorCode,\n"
        "  requestParameters.bucketName, requestParameters.key\n"
        f'| filter userIdentity.accessKeyId = "{key}"\n'
        "| sort eventTime asc\n"
        "| limit 10000"
    )
