"""What a store makes of a policy that refuses sessions: written from IAM's documentation, not from
the code under test (AWS IAM user guide, condition operators, `aws:userid`, `aws:TokenIssueTime`).
"""

import json
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any


def is_refused(policy: str, session_name: str, issued_at: datetime) -> bool:
    """One Deny whose conditions all hold is enough. A store counts in whole seconds."""
    user_id, second = f"AROA0EXAMPLE:{session_name}", issued_at.replace(microsecond=0)
    return any(
        statement["Effect"] == "Deny" and _holds(statement["Condition"], user_id, second)
        for statement in json.loads(policy)["Statement"]
    )


def _holds(condition: dict[str, Any], user_id: str, issued_at: datetime) -> bool:
    users = condition.get("StringLike", {}).get("aws:userid", ["*"])
    before = condition.get("DateLessThan", {}).get("aws:TokenIssueTime")
    is_in_time = before is None or issued_at < datetime.fromisoformat(before)
    return is_in_time and any(fnmatchcase(user_id, pattern) for pattern in users)
