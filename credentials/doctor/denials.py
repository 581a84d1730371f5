"""Judges what a role must be denied: making a build public, redirects, another session. Pure.

Sources: the values of `s3:x-amz-acl` are the canned ACLs, those of `s3:x-amz-grant-*` free text
(AWS S3 user guide, condition keys). A negated operator without `IfExists` also matches requests
without the header, and would refuse every plain upload.
"""

from collections.abc import Iterable, Iterator

from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.patterns import covers, covers_action
from credentials.doctor.statements import Condition, Statement, denies_of
from credentials.doctor.subjects import Subject
from credentials.identities import ASSUMING, EVERY_BUILD, GRANT_HEADERS

PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read", "aws-exec-read")
GRANTS = ('uri="http://acs.amazonaws.com/groups/global/AllUsers"', 'id="somebody"')
REDIRECTS = ("/elsewhere", "https://elsewhere.example.org/")
POSITIVE = {"stringlike", "stringequals", "stringequalsignorecase"}
NEGATIVE = {"stringnotlikeifexists", "stringnotequalsifexists", "stringnotequalsignorecaseifexists"}
WHY = (
    "A session may write its build, and a header of the upload then makes the object public, "
    "gives it away or redirects its readers. Session policies have no room for denials, and the "
    "revoker may replace the role's own policy, not its boundary."
)
WHY_ASSUMING = (
    "A session that assumes a role again sheds its policy; this holds whatever a trust policy says."
)


def judge_denials(subject: Subject, expected: Expected) -> list[Finding]:
    """What uploads could make an object public with, and assuming, as far as nothing denies it."""
    denies = [each for document in subject.documents.values() for each in denies_of(document)]
    return [*_headers(subject, denies, expected), *_assuming(subject, denies, expected)]


def _headers(subject: Subject, denies: list[Statement], expected: Expected) -> Iterator[Finding]:
    of_uploads = [each for each in denies if _refuses_uploads(each, expected)]
    refused = _to_be_refused(expected).items()
    open_headers = [header for header, values in refused if not _all(header, values, of_uploads)]
    if open_headers:
        what = f"does not deny uploads with these headers: {', '.join(open_headers)}."
        yield subject.finding("denial-missing", what, WHY)


def _assuming(subject: Subject, denies: list[Statement], expected: Expected) -> Iterator[Finding]:
    is_denied = any(
        not each.conditions
        and any(covers_action(action, ASSUMING) for action in each.actions)
        and any(covers(resource, expected.role_arn) for resource in each.resources)
        for each in denies
    )
    if not is_denied:
        what = f"does not deny {ASSUMING} to its own sessions."
        yield subject.finding("assuming-not-denied", what, WHY_ASSUMING)


def _to_be_refused(expected: Expected) -> dict[str, tuple[str, ...]]:
    """Values that stand for all, by header."""
    acls = tuple(acl for acl in PUBLIC_ACLS if not (expected.takes_acls and acl == "public-read"))
    return {
        "s3:x-amz-acl": acls,
        **{f"s3:x-amz-grant-{name}": GRANTS for name in GRANT_HEADERS},
        "s3:x-amz-website-redirect-location": REDIRECTS,
    }


def _refuses_uploads(statement: Statement, expected: Expected) -> bool:
    builds = f"{expected.bucket_arn}/{EVERY_BUILD}"
    return any(covers_action(action, "s3:PutObject") for action in statement.actions) and any(
        covers(resource, builds) for resource in statement.resources
    )


def _all(header: str, values: Iterable[str], denies: list[Statement]) -> bool:
    """Whether every value of a header is refused. Further conditions of a statement spare some."""
    conditions = [each.conditions[0] for each in denies if len(each.conditions) == 1]
    own = [condition for condition in conditions if condition.key == header]
    return all(any(_refuses(condition, value) for condition in own) for value in values)


def _refuses(condition: Condition, value: str) -> bool:
    operator = condition.operator.lower()
    is_listed = any(covers(pattern, value) for pattern in condition.values)
    if operator in POSITIVE:
        return is_listed
    return operator in NEGATIVE and not is_listed
