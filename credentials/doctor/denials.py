"""Judges whether the role denies what would make a build public or send its readers away. Pure.

Sources: the values of `s3:x-amz-acl` are the canned ACLs, those of `s3:x-amz-grant-*` free text
(AWS S3 user guide, condition keys). A negated operator without `IfExists` also matches requests
without the header, and would refuse every plain upload.
"""

from collections.abc import Iterable

from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.patterns import covers, covers_action
from credentials.doctor.statements import Condition, Statement, denies_of
from credentials.doctor.subjects import Subject
from credentials.identities import EVERY_BUILD, GRANT_HEADERS

PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read", "aws-exec-read")
GRANTS = ('uri="http://acs.amazonaws.com/groups/global/AllUsers"', 'id="somebody"')
REDIRECTS = ("/elsewhere", "https://elsewhere.example.org/")
POSITIVE = {"stringlike", "stringequals", "stringequalsignorecase"}
NEGATIVE = {"stringnotlikeifexists", "stringnotequalsifexists", "stringnotequalsignorecaseifexists"}
WHY = (
    "A session may write its build, and a header of the upload then makes the object public, "
    "gives it away or redirects its readers. Session policies have no room for denials."
)


def judge_denials(subject: Subject, expected: Expected) -> list[Finding]:
    """The headers that uploads could use to make an object public, as far as nothing denies it."""
    denies = [
        statement
        for document in subject.documents.values()
        for statement in denies_of(document)
        if _refuses_uploads(statement, expected)
    ]
    refused = _to_be_refused(expected).items()
    open_headers = [header for header, values in refused if not _all(header, values, denies)]
    if not open_headers:
        return []
    what = f"does not deny uploads with these headers: {', '.join(open_headers)}."
    return [subject.finding("denial-missing", what, WHY)]


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
