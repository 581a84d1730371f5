"""Judges the bucket's own policy, which session policies do not always limit. Pure.

AWS IAM user guide, "Session policies": what a bucket policy gives to the ARN of a session, or to
anybody, is added to what the session policy allows; what it gives to the role is limited by it.
"""

from collections import defaultdict
from collections.abc import Mapping

from credentials.doctor.commands import aws
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.patterns import covers_action
from credentials.doctor.principals import identity_of, is_same, is_session
from credentials.doctor.statements import Document, Statement, statements_of, without

CHECK = "bucket-policy"
READS = ("s3:Get*", "s3:List*", "s3:Head*", "s3:Describe*")
FAULTS = {
    "public-write": (
        "Anybody may change the bucket or what is in it",
        "Session policies do not limit what everybody is given: any build's credentials, and "
        "strangers, overwrite every build.",
    ),
    "names-session": (
        "The bucket policy gives rights to sessions of the upload role by name",
        "What a session's ARN is given is not limited by its session policy, and so not by the "
        "build it was issued for.",
    ),
    "names-role": (
        "The bucket policy gives rights to the upload role",
        "They belong into the role's own policy, under its boundary and its denials.",
    ),
}


def judge_bucket_policy(document: Document | str, expected: Expected) -> list[Finding]:
    """Rights that the bucket gives to anybody, to the upload role, or to its sessions."""
    details: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for place, statement in enumerate(statements_of(document)):
        for _, name in statement.principals if statement.is_allow else ():
            if fault := _fault(name, statement, expected):
                details[fault][place].append(_told(name, statement))
    return [
        _finding(fault, found, change=_change(without(document, found), expected))
        for fault, found in details.items()
    ]


def _fault(name: str, statement: Statement, expected: Expected) -> str:
    if name == "*":
        return "public-write" if _writes(statement) else ""
    if not is_same(identity_of(name), expected.role_arn) and not _is_role_s(name, expected):
        return ""
    return "names-session" if is_session(name) else "names-role"


def _is_role_s(name: str, expected: Expected) -> bool:
    """Whether a session's ARN is one of the role's, whose path it does not have."""
    return is_session(name) and is_same(expected.role_arn, identity_of(name))


def _writes(statement: Statement) -> bool:
    """Whether it allows any action but reading; what is not known to read counts as writing."""
    return any(not _is_read(action) for action in statement.actions)


def _is_read(action: str) -> bool:
    return any(covers_action(read, action) for read in READS)


def _told(name: str, statement: Statement) -> str:
    who = "all but some principals" if "NotPrincipal" in statement.negated else name
    actions = "all but some actions" if "NotAction" in statement.negated else None
    what = actions or ", ".join(statement.actions)
    conditions = " and ".join(str(condition) for condition in statement.conditions)
    return f"{what} for {who}{f' (if {conditions})' if conditions else ''}"


def _change(left: Document, expected: Expected) -> str:
    """Put what is left of the policy; an empty one cannot be put."""
    if not left["Statement"]:
        return aws(expected, "s3api delete-bucket-policy", bucket=expected.bucket)
    return aws(expected, "s3api put-bucket-policy", bucket=expected.bucket, policy=left)


def _finding(fault: str, details: Mapping[int, list[str]], *, change: str) -> Finding:
    what, why = FAULTS[fault]
    told = "; ".join(each for found in details.values() for each in found)
    return Finding(
        id=f"{CHECK}.{fault}",
        what=f"{what}: {told}.",
        why=why,
        change=change,
        severity=Severity.WARNING if fault == "names-role" else Severity.ERROR,
    )
