"""Judges what the vendor was let do: nothing of S3, nothing of IAM. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from credentials.doctor.commands import aws, fragment
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.principals import kind_of, name_of
from credentials.rules.verdicts import Outcome
from credentials.stores.documents import vendor_denial

S3_CHECK, IAM_CHECK = "vendor-s3", "vendor-iam"
WHY = (
    "The vendor's key lies in the web service's memory. Who steals it has these rights at once, "
    "for any length of time, with no row in the ledger."
)
WHY_UNCLEAR = "Only a refusal shows that the vendor may not."


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A call made with the vendor's own credentials, and what the store did."""

    call: str
    outcome: Outcome
    answer: str = ""


def judge_attempts(
    check: str, attempts: Sequence[Attempt], expected: Expected
) -> Iterator[Finding]:
    """All of them must have been refused."""
    accepted = [attempt.call for attempt in attempts if attempt.outcome is Outcome.ACCEPTED]
    unclear = [f"{a.call} ({a.answer})" for a in attempts if a.outcome is Outcome.UNCLEAR]
    if accepted:
        yield Finding(
            id=f"{check}.allowed",
            what=f"The vendor was allowed {', '.join(accepted)}.",
            why=WHY,
            change="\n".join([only_assuming(expected), *_own_objects(check, expected)]),
        )
    if unclear:
        yield Finding(
            id=f"{check}.unclear",
            what=f"The store neither did nor refused what the vendor tried: {', '.join(unclear)}.",
            why=WHY_UNCLEAR,
            change="Run the doctor again; if it stays, ask whoever runs the store.",
            severity=Severity.WARNING,
        )


def _own_objects(check: str, expected: Expected) -> Iterator[str]:
    """In Ceph 16 what a session writes belongs to the vendor, who may then read it and open it."""
    if check != S3_CHECK or expected.is_aws:
        return
    yield "Where the objects of its sessions belong to the vendor, add to the bucket's policy:"
    vendor_arn = expected.vendor_arn or "ARN OF THE VENDOR"
    yield fragment(vendor_denial(vendor_arn=vendor_arn, bucket_arn=expected.bucket_arn))


def only_assuming(expected: Expected, *removals: str) -> str:
    """How the vendor is left with one right: to assume the upload roles."""
    kind = kind_of(expected.vendor_arn)
    if kind not in {"user", "role"}:
        document = fragment(expected.vendor)
        return f"Leave the vendor this policy, and no other right, also of buckets:\n{document}"
    name = name_of(expected.vendor_arn)
    put = aws(
        expected,
        f"iam put-{kind}-policy",
        **{f"{kind}_name": name},
        policy_name=expected.role_name,
        policy_document=expected.vendor,
    )
    advice = f"Take every other right from {name}, also those of its groups and of buckets:"
    return "\n".join([advice, put, *removals])
