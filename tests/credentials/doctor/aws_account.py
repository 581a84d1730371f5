"""What an account of AWS should hold, for judging documents without one."""

import json
from collections.abc import Iterable
from typing import Any

from credentials.doctor import subjects
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.identities import upload_policy

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/upload"
VENDOR = f"arn:aws:iam::{ACCOUNT}:user/vendor"
BUCKET = "arn:aws:s3:::docs"
BUILDS = f"{BUCKET}/*/builds/*"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd"
VERSION = "2012-10-17"
_UPLOAD: list[dict[str, Any]] = json.loads(upload_policy(role_arn=ROLE, bucket="docs"))["Statement"]
# The three that allow, in the order of write, list and locate, and the denials.
UPLOAD = sorted(_UPLOAD, key=lambda statement: str(statement["Effect"]))


def expected(**changes: Any) -> Expected:
    known: dict[str, Any] = {
        "bucket": "docs",
        "region": "eu-central-1",
        "role_arn": ROLE,
        "vendor_arn": VENDOR,
    }
    return Expected(**(known | changes))


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": list(statements)}


def allow(action: Any, resource: Any, **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **rest}


def faults(findings: Iterable[Finding]) -> set[str]:
    """The ids without the check that they begin with."""
    return {finding.id.partition(".")[2] for finding in findings}


def role_with(*documents: Any, **changes: Any) -> subjects.Subject:
    """The upload role with policies named `policy0`, `policy1`, ..."""
    named = {f"policy{number}": document for number, document in enumerate(documents)}
    return subjects.role_policies(named, expected(**changes))
