"""Role-and-session cases at random: our own documents, and others that use more of the language."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from builds.names import build_root
from credentials.rules.account_documents import boundary_policy, upload_policy
from credentials.rules.policy import Scope, session_policy
from tests.proof.evaluators import Question
from tests.proof.worlds import kms_key

BUCKET = "arn:aws:s3:::docs"
ROLE = "arn:aws:iam::123456789012:role/upload"
ACTIONS = [
    "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:PutObjectAcl", "s3:ListBucket",
    "s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:ListBucketVersions", "kms:Decrypt",
]  # fmt: skip
PATTERNS = [*ACTIONS, "s3:*", "s3:Put*", "s3:?etObject", "S3:putobject", "*", "kms:*"]
ON_BUCKET = {"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketVersions"}
OPERATORS = ["StringLike", "StringEquals", "StringNotLike", "StringEqualsIfExists", "Null"]
ROOTS = [
    build_root(product, slug) for product in ("guide", "guide2") for slug in ("v1", "v1.0", "V1")
]
TAILS = [
    "", "/", "/x", "//", "2/x", "/x/builds/y", "/../x", "/\u00e9", "/\U0001f4da", "/a b", "/a:b",
    "/${aws:username}", "/$", "/[x]", "/(x)", "/x\n", "\n", "/\u2028x", "/\r", "/*", "/?", "*",
]  # fmt: skip


def cases(random: Random, count: int) -> Iterator[Question]:
    """Half of them have our own policies, half random ones."""
    for number in range(count):
        yield _own(random) if number % 2 else _other(random)


def _own(random: Random) -> Question:
    key = random.choice(["", kms_key("aws")])
    scope = Scope(
        partition="aws",
        bucket="docs",
        root=random.choice(ROOTS),
        may_list_bare_root=random.random() < 0.5,
        may_sync=random.random() < 0.5,
        kms_key_arn=key,
    )
    names = {"role_arn": ROLE, "bucket": "docs", "kms_key_arn": key}
    policies = (
        upload_policy(**names, with_sync=True),
        boundary_policy(**names, with_sync=True),
        session_policy(scope),
    )
    return _question(random, *policies)


def _other(random: Random) -> Question:
    return _question(random, *[_document(random) for _ in range(3)])


def _question(random: Random, role: str, boundary: str, session: str) -> Question:
    action = random.choice(ACTIONS)
    context = {}
    if action in ON_BUCKET:
        resource = random.choice([BUCKET, f"{BUCKET}2"])
        if action != "s3:GetBucketLocation" and random.random() < 0.8:
            context["s3:prefix"] = _key(random)
    elif action.startswith("kms:"):
        resource = kms_key("aws")
    else:
        resource = f"{random.choice([BUCKET, BUCKET, f'{BUCKET}2'])}/{_key(random)}"
        if action in {"s3:PutObject", "s3:PutObjectAcl"} and random.random() < 0.3:
            context["s3:x-amz-acl"] = random.choice(["private", "public-read"])
    return Question(
        role=role, boundary=boundary, session=session,
        action=action, resource=resource, context=context,
    )  # fmt: skip


def _key(random: Random) -> str:
    root = random.choice(ROOTS)
    return (root[: random.randrange(len(root))] if random.random() < 0.2 else root) + random.choice(
        TAILS
    )


def _document(random: Random) -> str:
    wide = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    statements = [_statement(random) for _ in range(random.randint(1, 3))]
    if random.random() < 0.6:
        statements.append(wide)
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _statement(random: Random) -> dict[str, Any]:
    action, resource = ("NotAction" if random.random() < 0.1 else "Action"), "Resource"
    statement: dict[str, Any] = {
        "Effect": random.choice(["Allow", "Allow", "Deny"]),
        action: random.sample(PATTERNS, random.randint(1, 4)),
        resource: [_resource(random) for _ in range(random.randint(1, 2))],
    }
    if random.random() < 0.4:
        statement["Condition"] = _condition(random)
    return statement


def _resource(random: Random) -> str:
    root = random.choice(ROOTS)
    tail = random.choice(["", "/*", "*", "?", "/?", "/${aws:username}", "/${*}"])
    return random.choice(
        ["*", BUCKET, f"{BUCKET}/*", f"{BUCKET}/*/builds/*", f"{BUCKET}/{root}{tail}"]
    )


def _condition(random: Random) -> dict[str, Any]:
    operator = random.choice(OPERATORS)
    key = random.choice(["s3:prefix", "s3:x-amz-acl"])
    if operator == "Null":
        return {operator: {key: random.choice(["true", "false"])}}
    prefixes = [f"{random.choice(ROOTS)}{tail}" for tail in ("", "/*", "*", "/${aws:username}")]
    values = random.sample([*prefixes, "private", "public-*", "*"], 2)
    return {operator: {key: values}}
