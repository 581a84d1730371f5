"""Judges how long sessions may live against how long they are asked to. Pure.

A session of a role that assumes another role gets an hour at most (AWS STS API reference,
AssumeRole: role chaining).
"""

from collections.abc import Iterator

from credentials.doctor.commands import aws
from credentials.doctor.expected import CHAINED_MAXIMUM, Expected
from credentials.doctor.findings import Finding, Severity

# AWS knows no role with less.
SHORTEST_ROLE_MAXIMUM = 3600
WHY_REFUSED = "The store refuses a longer session, so jobs that are given one fail."
SHORTEST_POSTS = 3 * 3600
WHY_POSTS_END = "Nobody can renew them, and real uploads have taken longer than an hour."
WHY_SHORTER = "Sessions are shorter than somebody meant them to be; a long job has to ask again."


def judge_lifetimes(role_seconds: int | None, expected: Expected) -> Iterator[Finding]:
    """The role's maximum, the chaining cap, the setting and the products agree."""
    if role_seconds is not None and role_seconds < expected.role_max_seconds:
        yield _role_too_short(role_seconds, expected)
    if expected.longest_chained < expected.role_max_seconds:
        yield _chained(expected)
    if expected.default_seconds > expected.role_max_seconds:
        yield _capped(
            "default-capped",
            f"LTD_SESSION_SECONDS is {expected.default_seconds}",
            "Set LTD_SESSION_SECONDS to no more than that, or raise the role's longest session.",
            expected,
        )
    products = _over(expected, expected.role_max_seconds)
    if products:
        yield _capped(
            "product-capped",
            f"Session durations of products are {', '.join(products)}",
            "Lower them in the admin, or raise the role's longest session.",
            expected,
        )
    yield from _posts(expected)


def _posts(expected: Expected) -> Iterator[Finding]:
    """Presigned POSTs cannot be renewed by who sends them: they have to outlive the upload."""
    if expected.post_seconds is None:
        return
    seconds = min(expected.post_seconds, expected.longest_chained)
    if seconds < SHORTEST_POSTS:
        yield Finding(
            id="lifetimes.posts-short",
            what=f"Presigned POSTs are good for {seconds} s, which is less than three hours.",
            why=WHY_POSTS_END,
            change="Set LTD_POST_LIFETIME and the role's longest session, in AWS and in the admin, "
            f"to {SHORTEST_POSTS} or more. A service that runs under a role gets 3600 s at most.",
            severity=Severity.WARNING,
        )


def _role_too_short(role_seconds: int, expected: Expected) -> Finding:
    update = aws(
        expected,
        "iam update-role",
        role_name=expected.role_name,
        max_session_duration=max(expected.role_max_seconds, SHORTEST_ROLE_MAXIMUM),
    )
    return Finding(
        id="lifetimes.role-shorter",
        what=f"The role's longest session is {role_seconds} s, and the store is said to allow "
        f"{expected.role_max_seconds} s.",
        why=WHY_REFUSED,
        change=f"{update}\nOr set the role's longest session in the admin to {role_seconds}.",
    )


def _chained(expected: Expected) -> Finding:
    """An error where anything is set to more; else it is only refused to those who ask for it."""
    asked = _over(expected, CHAINED_MAXIMUM)
    if expected.default_seconds > CHAINED_MAXIMUM:
        asked.append(f"LTD_SESSION_SECONDS ({expected.default_seconds})")
    return Finding(
        id="lifetimes.chained",
        what="This service runs under a role, whose sessions get 3600 s at most; the store is "
        f"said to allow {expected.role_max_seconds} s"
        + (f", and more is set: {', '.join(asked)}." if asked else "."),
        why=WHY_REFUSED,
        change="Set the role's longest session in the admin to 3600, or run the service with a "
        "user's key.",
        severity=Severity.ERROR if asked else Severity.WARNING,
    )


def _over(expected: Expected, seconds: int) -> list[str]:
    """The products that are set to more, as they are told."""
    found = sorted(expected.product_seconds.items())
    return [f"{slug} ({own})" for slug, own in found if own > seconds]


def _capped(fault: str, what: str, change: str, expected: Expected) -> Finding:
    return Finding(
        id=f"lifetimes.{fault}",
        what=f"{what}, and the store allows {expected.role_max_seconds} s.",
        why=WHY_SHORTER,
        change=change,
        severity=Severity.WARNING,
    )
