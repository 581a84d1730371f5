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

LAKE = """\
SELECT eventTime, eventName, sourceIPAddress, userAgent, errorCode, requestParameters
FROM EVENT_DATA_STORE_ID
WHERE userIdentity.accessKeyId = '{key}'
  AND eventTime >= '{begin}' AND eventTime <= '{end}'
ORDER BY eventTime"""
ATHENA = """\
SELECT eventtime, eventname, sourceipaddress, useragent, errorcode, requestparameters
FROM cloudtrail_logs
WHERE useridentity.accesskeyid = '{key}'
  AND eventtime >= '{begin}' AND eventtime <= '{end}'
ORDER BY eventtime"""
INSIGHTS = """\
fields eventTime, eventName, sourceIPAddress, userAgent, errorCode,
  requestParameters.bucketName, requestParameters.key
| filter userIdentity.accessKeyId = "{key}"
| sort eventTime asc
| limit 10000"""


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
            LAKE.format(key=access_key_id, begin=f"{begins_at:%F %T}", end=f"{ends_at:%F %T}"),
        ),
        Search(
            "Athena (put in the name of your table)",
            ATHENA.format(key=access_key_id, begin=f"{begins_at:%FT%TZ}", end=f"{ends_at:%FT%TZ}"),
        ),
        Search(
            f"CloudWatch Logs Insights (choose {begins_at:%F %T} to {ends_at:%F %T} UTC)",
            INSIGHTS.format(key=access_key_id),
        ),
    )
