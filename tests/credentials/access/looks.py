"""The last look by itself, as it is asked within the statement that completes a session."""

from typing import Any

from builds.fixed_sql import fetch
from credentials.access.rights import standing_right


def right_still_stands(**right: Any) -> bool:
    return fetch(*standing_right(**right)) is not None
