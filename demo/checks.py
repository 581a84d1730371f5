"""What must be true of a run. Each check returns sentences about what is not; none means well."""

from typing import TYPE_CHECKING

from demo.attempts import Answer
from demo.job import Published
from demo.ledger import LedgerRow
from demo.site import SiteFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Contents = dict[str, str]


def count_problems(published: Published, files: list[SiteFile]) -> list[str]:
    """The service counts what it can see in one page of a listing; beyond that, nothing."""
    counted = (published.object_count, published.byte_count)
    if counted in {(None, None), (len(files), sum(file.size for file in files))}:
        return []
    return [f"The service counted {counted[0]} files and {counted[1]} bytes."]


def attempt_problems(answers: list[Answer], *, before: Contents, after: Contents) -> list[str]:
    """Every attempt was refused, and none did anything."""
    problems = [f"Not refused: {answer.title}." for answer in answers if not answer.is_refusal]
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    return problems + [f"An attempt changed {key}." for key in sorted(changed)]


def ledger_problems(row: LedgerRow | None, published: Published) -> list[str]:
    """The session that was handed out is in the ledger, as issued."""
    if row and (row.status, row.access_key_id) == (
        "issued",
        published.credentials.access_key_id,
    ):
        return []
    return ["The ledger does not hold the session as issued."]


def contents_of(s3: "S3Client", bucket: str) -> Contents:
    """Every key of a bucket, with the ETag of its object."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}
