"""Build -> least-privilege session policy. Pure.

STS intersects this with the upload role's own policy. Only Allow statements: what must be denied
whatever a session says (public ACLs, website redirects) stands in the role's policy
(`credentials/rules/account_documents.py`), because as Denies it would not fit here.

Sources: AssumeRole takes at most 2,048 characters of policy, and a missing or empty policy means
the whole role (AWS STS API reference, AssumeRole). Multipart create, upload and complete are
`s3:PutObject` (AWS S3 user guide, multipart permissions).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from builds.names import is_bucket_name, is_build_root, is_kms_key_arn, is_partition
from credentials.errors import PolicyTooLarge

MAX_POLICY_LENGTH = 2048
# What stands for the names in a template: no name of a bucket or root has these characters, or is
# so short that it could be a part of a mark.
BUCKET_MARK, ROOT_MARK = "<b>", "<r>"
POLICY_VERSION = "2012-10-17"

WRITE_ACTIONS = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
SYNC_ACTIONS = ("s3:GetObject", "s3:DeleteObject")
KMS_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")

Statement = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a session may reach: one build's root in one bucket.

    `partition` is the ARN partition; `root` has no slash at either end. `may_list_bare_root`
    is for roots that are never a prefix of another (server-made slugs): old uploaders list the
    root without a slash. `may_sync` adds reading and deleting. `may_look` lets the session that
    lists the build also read it, to see how it is stored. `kms_key_arn` may be empty.
    Raises ValueError for names that are not legal, wildcards and policy variables included.
    """

    partition: str
    bucket: str
    root: str
    may_list_bare_root: bool
    may_sync: bool = False
    may_look: bool = False
    kms_key_arn: str = ""

    def __post_init__(self) -> None:
        if not is_partition(self.partition):
            raise ValueError("the partition is not one")
        if not is_bucket_name(self.bucket):
            raise ValueError("the bucket's name is not legal")
        if not is_build_root(self.root):
            raise ValueError("the root is not that of a build")
        if self.kms_key_arn and not is_kms_key_arn(self.kms_key_arn):
            raise ValueError("the KMS key's ARN is not legal")

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def longest_name(self) -> str:
        """Which of its names takes most room, for the error that says so."""
        product, _, build = self.root.split("/")
        names = {"product": product, "build": build, "bucket": self.bucket}
        kind = max(names, key=lambda name: len(names[name]))
        return f"{kind} {names[kind]!r} ({len(names[kind])} characters)"


def session_policy(scope: Scope) -> str:
    """The policy of a session that uploads: write below the root, list it, nothing else."""
    statements: list[Statement] = [
        _objects(scope),
        _listing(scope),
        {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": scope.bucket_arn},
    ]
    if scope.kms_key_arn:
        statements.append(
            {"Effect": "Allow", "Action": list(KMS_ACTIONS), "Resource": scope.kms_key_arn}
        )
    return _document(scope, statements)


def presigning_policy(scope: Scope) -> str:
    """The policy of a session that signs POSTs and PUTs: write at or below the root, no more.

    Encrypting with the store's key needs a data key for each object.
    """
    root = f"{scope.bucket_arn}/{scope.root}"
    writing = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": [root, f"{root}/*"]}
    statements: list[Statement] = [writing]
    if scope.kms_key_arn:
        action, key = "kms:GenerateDataKey", scope.kms_key_arn
        statements.append({"Effect": "Allow", "Action": action, "Resource": key})
    return _document(scope, statements)


def listing_policy(scope: Scope) -> str:
    """The policy of a session that only counts, or looks at, what lies below the root."""
    below = f"{scope.bucket_arn}/{scope.root}/*"
    looking = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": below}
    return _document(scope, [_listing(scope), *([looking] if scope.may_look else [])])


def cleaning_policy(scope: Scope) -> str:
    """The policy of a session that only removes what lies at or below the root."""
    root = f"{scope.bucket_arn}/{scope.root}"
    deleting = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": [root, f"{root}/*"]}
    return _document(scope, [deleting])


def _objects(scope: Scope) -> Statement:
    actions = [*WRITE_ACTIONS, *(SYNC_ACTIONS if scope.may_sync else ())]
    root = f"{scope.bucket_arn}/{scope.root}"
    return {"Effect": "Allow", "Action": actions, "Resource": [root, f"{root}/*"]}


def _listing(scope: Scope) -> Statement:
    below = [f"{scope.root}/*"]
    prefixes = [scope.root, *below] if scope.may_list_bare_root else below
    return {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": scope.bucket_arn,
        "Condition": {"StringLike": {"s3:prefix": prefixes}},
    }


def document_text(statements: list[Statement]) -> str:
    """A policy document as compact JSON, in ASCII."""
    return json.dumps({"Version": POLICY_VERSION, "Statement": statements}, separators=(",", ":"))


def _document(scope: Scope, statements: list[Statement]) -> str:
    text = document_text(statements)
    if len(text) > MAX_POLICY_LENGTH:
        raise PolicyTooLarge(
            "The session policy would be over 2,048 characters. "
            f"The longest name in it is the {scope.longest_name}."
        )
    return text


def fill_template(template: str, *, bucket: str, root: str, sha256: str) -> str:
    """The policy that a template was made from; empty where that is another text."""
    text = template.replace(BUCKET_MARK, bucket).replace(ROOT_MARK, root)
    return text if hashlib.sha256(text.encode()).hexdigest() == sha256 else ""


# What a policy says, for people.


class Permission(NamedTuple):
    """A statement of a policy, each part as people read it."""

    effect: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Sequence[str]

    def __str__(self) -> str:
        return f"{self.effect} {', '.join(self.actions)} on {', '.join(self.resources_in_words())}"

    def resources_in_words(self) -> Iterator[str]:
        """With the conditions, which few statements have."""
        yield from self.resources
        yield from (f"if {condition}" for condition in self.conditions)


def permissions(policy: str) -> list[Permission]:
    """The statements of a policy; none where it is not a policy that can be read."""
    try:
        document = json.loads(policy)
        return [
            Permission(
                effect=str(statement["Effect"]),
                actions=_several(statement["Action"]),
                resources=_several(statement["Resource"]),
                conditions=list(_conditions(statement.get("Condition", {}))),
            )
            for statement in document["Statement"]
        ]
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return []


def _several(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _conditions(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for operator, keys in conditions.items():
        for key, values in keys.items():
            yield f"{key} {operator} {' or '.join(_several(values))}"
