"""Wildcards of policies: `*` is any run of characters, `/` included, and `?` is one. Pure.

AWS IAM user guide, Resource and Action elements.
"""

import re
from functools import lru_cache

# A wildcard of the narrower pattern is a character of its own here, which only `*` covers.
_WILDCARDS = {"*": ".*", "?": r"[^*]"}


def covers(wide: str, narrow: str) -> bool:
    """Whether every text that `narrow` matches is matched by `wide`. A plain text is a pattern.

    May say no where the truth is yes (`**` against `*`), never the other way round.
    """
    return _compiled(wide).fullmatch(narrow) is not None


def covers_action(wide: str, narrow: str) -> bool:
    """The same for actions, whose case does not matter."""
    return covers(wide.lower(), narrow.lower())


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    expression = "".join(_WILDCARDS.get(each, re.escape(each)) for each in pattern)
    return re.compile(expression, re.DOTALL)
