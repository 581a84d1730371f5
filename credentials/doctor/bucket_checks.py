"""The checks of the store's row, its bucket and its key; these with the auditor's credentials."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError

from credentials.doctor.bucket_policies import judge_bucket_policy
from credentials.doctor.bucket_settings import judge_lifecycle, judge_ownership, judge_public_access
from credentials.doctor.findings import Finding
from credentials.doctor.keys import judge_encryption, judge_key, judge_key_arn
from credentials.doctor.obstacles import NoBucket, NotSupported
from credentials.doctor.places import judge_endpoints, judge_location
from credentials.doctor.scene import Scene


def row(scene: Scene) -> Iterator[Finding]:
    """Every value of the store's row is legal: nothing else can be said of one that is not."""
    try:
        scene.store.clean_fields()
        scene.store.clean()
    except ValidationError as err:
        yield Finding(
            id="row.invalid",
            what=f"The store is not legal: {_told(err)}",
            why="No credentials are issued for names that could mean something else.",
            change="Correct the store in the admin.",
        )


def _told(err: ValidationError) -> str:
    return " ".join(f"{name}: {' '.join(texts)}" for name, texts in err.message_dict.items())


def endpoint(scene: Scene) -> Iterator[Finding]:
    yield from judge_endpoints(scene.expected)


def bucket(scene: Scene) -> Iterator[Finding]:
    """It exists, in the store's region."""
    expected = scene.expected
    try:
        answer = _ask(scene, "get_bucket_location")
    except NoBucket:
        yield Finding(
            id="bucket.missing",
            what=f"There is no bucket {expected.bucket}.",
            why="Uploads have nowhere to go.",
            change="Make it, or set the store's bucket in the admin:\n"
            f"manage.py bootstrap_store --store {scene.store.name} --apply",
        )
        return
    yield from judge_location((answer or {}).get("LocationConstraint"), expected)


def bucket_policy(scene: Scene) -> Iterator[Finding]:
    answer = _ask(scene, "get_bucket_policy")
    if answer:
        yield from judge_bucket_policy(answer["Policy"], scene.expected)


def public_access(scene: Scene) -> Iterator[Finding]:
    answer = _ask(scene, "get_public_access_block") or {}
    yield from judge_public_access(answer.get("PublicAccessBlockConfiguration", {}), scene.expected)


def acls(scene: Scene) -> Iterator[Finding]:
    answer = _ask(scene, "get_bucket_ownership_controls")
    # Ceph 16 answers this as if it were a listing: with success, and without a rule.
    if answer and not answer.get("OwnershipControls", {}).get("Rules"):
        raise NotSupported("this store does not know ownership controls")
    rules = answer["OwnershipControls"]["Rules"] if answer else []
    yield from judge_ownership(rules, scene.expected)


def unfinished_uploads(scene: Scene) -> Iterator[Finding]:
    answer = _ask(scene, "get_bucket_lifecycle_configuration") or {}
    yield from judge_lifecycle(answer.get("Rules", []), scene.expected)


def encryption(scene: Scene) -> Iterator[Finding]:
    answer = _ask(scene, "get_bucket_encryption") or {}
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    yield from judge_encryption(rules, scene.expected)


def kms_key(scene: Scene) -> Iterator[Finding]:
    """The key that the store names exists and can be used."""
    expected, auditor = scene.expected, scene.auditor
    if not expected.kms_key_arn:
        return
    wrong = list(judge_key_arn(expected))
    yield from wrong
    if wrong:
        return
    answer = auditor.ask(auditor.kms, "describe_key", KeyId=expected.kms_key_arn)
    if answer is None:
        yield Finding(
            id="kms-key.missing",
            what=f"There is no key {expected.kms_key_arn}.",
            why="Every upload needs it, so every upload is refused.",
            change="Set the store's KMS key ARN in the admin to the key of its bucket.",
        )
        return
    yield from judge_key(answer["KeyMetadata"], expected)


def _ask(scene: Scene, method: str) -> Any:
    """A setting of the bucket; None when it is not set. Raises NoBucket."""
    auditor = scene.auditor
    return auditor.ask(auditor.s3, method, Bucket=scene.expected.bucket)
