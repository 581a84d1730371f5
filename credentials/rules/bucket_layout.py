"""What may lie where in a bucket: builds at their roots, and what an operator allows. Pure."""

import re
from functools import cache
from hashlib import sha256

from builds.names import escape_controls, has_controls, root_of

PATTERN_LENGTH = 255
SHOWN_CHARACTERS = 100
PLACE_CHARACTERS = 150  # more than the longest root has


def allowed_prefixes(text: str) -> tuple[str, ...]:
    """Patterns of keys, separated by commas. Raises ValueError.

    `*` stands for one whole part of a key. A pattern that ends with a slash allows all below it,
    any other one key. None may allow builds that nobody registered.
    """
    patterns = tuple(pattern.strip() for pattern in text.split(",") if text.strip())
    for pattern in patterns:
        parts = pattern.removesuffix("/").split("/")
        if not all(parts) or len(pattern) > PATTERN_LENGTH or has_controls(pattern):
            raise ValueError("not keys, or prefixes that end with a slash, separated by commas")
        if any("*" in part and part != "*" for part in parts):
            raise ValueError("an asterisk stands for a whole part of a key, as in */v/")
        if pattern.endswith("/") and parts[0] == "*" and parts[1:2] in ([], ["*"], ["builds"]):
            raise ValueError("a prefix of every build")
    return patterns


def is_allowed(key: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns of `allowed_prefixes` is that of the key."""
    return _compiled(patterns).match(key) is not None


@cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """An expression that matches nothing where there are no patterns."""
    forms = [re.escape(pattern).replace(r"\*", "[^/]+") for pattern in patterns]
    ends = ["" if form.endswith("/") else r"\Z" for form in forms]
    return re.compile("|".join(map("".join, zip(forms, ends, strict=True))) or r"(?!)")


def place_of(key: str) -> str:
    """Where a key lies: the root of a build, or a folder of one or two parts; empty: in none."""
    folder = "".join(f"{part}/" for part in key.split("/")[:-1][:2])
    return root_of(key) or folder


def may_lie_in(key: str, place: str) -> bool:
    """Whether a listing in the order of keys that has come to a key may still have keys of a place.

    `a-b/page` comes between the root `a` and `a/page`.
    """
    rest = key[len(place) :]
    return key.startswith(place) and (place[-1:] in {"", "/"} or rest[:1] <= "/")


def shown_key(key: str) -> str:
    """A key that anybody may have chosen, as it may be shown: in one line, and not too long."""
    shown = escape_controls(key[:SHOWN_CHARACTERS])
    return f"{shown}..." if len(key) > SHOWN_CHARACTERS else shown


def shown_place(place: str) -> str:
    """The same of a place, so that two places never look alike."""
    shown = escape_controls(place)
    if len(shown) <= PLACE_CHARACTERS:
        return shown or "/"
    return f"{shown[:SHOWN_CHARACTERS]}...{sha256(shown.encode()).hexdigest()[:16]}"
