"""What Terraform would make is what `bootstrap_store` looks for."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from credentials.operations.account.bootstrap import bootstrap_store
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.requirements import Status
from credentials.operations.account.terraform import terraform
from credentials.rules.account_documents import WantedAccount

Variant = dict[str, Any]
VARIANTS: dict[str, Variant] = {
    "plain": {},
    "external id, sync, long sessions": {
        "external_id": "keeper-7f3a", "with_sync": True, "role_max_seconds": 43200
    },
    "key, prefix": {
        "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd", "prefix": "docs"
    },
    "role as the vendor": {"vendor_arn": "arn:aws:iam::123456789012:role/ecs-task"},
}  # fmt: skip
# What the provider calls, in an order that its references allow, with what each argument becomes.
CALLS = {
    "aws_s3_bucket": ("s3", "create_bucket", {"bucket": "Bucket"}),
    "aws_iam_user": ("iam", "create_user", {"name": "UserName"}),
    "aws_iam_user_policy": (
        "iam",
        "put_user_policy",
        {"name": "PolicyName", "user": "UserName", "policy": "PolicyDocument"},
    ),
    "aws_iam_policy": ("iam", "create_policy", {"name": "PolicyName", "policy": "PolicyDocument"}),
    "aws_iam_role": (
        "iam",
        "create_role",
        {
            "name": "RoleName",
            "path": "Path",
            "max_session_duration": "MaxSessionDuration",
            "assume_role_policy": "AssumeRolePolicyDocument",
            "permissions_boundary": "PermissionsBoundary",
        },
    ),
    "aws_iam_role_policy_attachment": (
        "iam",
        "attach_role_policy",
        {"role": "RoleName", "policy_arn": "PolicyArn"},
    ),
    "aws_iam_user_policy_attachment": (
        "iam",
        "attach_user_policy",
        {"user": "UserName", "policy_arn": "PolicyArn"},
    ),
}


def put_bucket_settings(clients: StoreClients, resources: Mapping[str, Any], bucket: str) -> None:
    def setting(kind: str) -> Any:
        return resources[f"aws_s3_bucket_{kind}"]["builds"]

    rule = setting("lifecycle_configuration")["rule"]
    days = rule["abort_incomplete_multipart_upload"]["days_after_initiation"]
    lifecycle = {
        "ID": rule["id"],
        "Status": rule["status"],
        "Filter": {"Prefix": rule["filter"]["prefix"]},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days},
    }
    block = {
        "".join(word.title() for word in name.split("_")): value
        for name, value in setting("public_access_block").items()
        if name != "bucket"
    }
    owner = setting("ownership_controls")["rule"]["object_ownership"]
    clients.s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": owner}]}
    )
    clients.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    clients.s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [lifecycle]}
    )


def apply(clients: StoreClients, document: dict[str, Any]) -> None:
    """In the place of Terraform, whose AWS provider no package registry has."""
    resources = document["resource"]

    def value_of(text: Any) -> Any:
        if not (reference := re.fullmatch(r"\$\{(\w+)\.(\w+)\.(\w+)\}", str(text))):
            return text
        kind, name, attribute = reference.groups()
        own = resources[kind][name]
        return (
            f"arn:aws:iam::123456789012:policy/{own['name']}" if attribute == "arn" else own["name"]
        )

    for kind, (service, method, arguments) in CALLS.items():
        for resource in resources[kind].values():
            assert resource.keys() - arguments.keys() <= {"lifecycle", "depends_on"}
            request = {
                arguments[name]: value_of(resource[name]) for name in arguments.keys() & resource
            }
            getattr(getattr(clients, service), method)(**request)
    bucket = resources["aws_s3_bucket"]["builds"]["bucket"]
    put_bucket_settings(clients, resources, bucket)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_only_keys_are_left_to_make(
    variant: Variant, clients: StoreClients, make_wanted: Callable[..., WantedAccount]
) -> None:
    account = make_wanted(**variant)
    apply(clients, json.loads(json.dumps(terraform(account))))
    report = bootstrap_store(clients=clients, account=account, vendor_key=None, apply=False)
    left = {step.what for step in report.steps if step.status is Status.WOULD_MAKE}
    assert {step.status for step in report.steps} <= {
        Status.UNCHANGED, Status.WOULD_MAKE, Status.NOT_TRIED, Status.BY_HAND
    }  # fmt: skip
    assert left
    assert all(what.startswith("access key of ") for what in left)


def test_documents_are_those_of_the_json_document(
    clients: StoreClients, wanted: WantedAccount
) -> None:
    """Word for word."""
    report = bootstrap_store(clients=clients, account=wanted, vendor_key=None, apply=False)
    resources = terraform(wanted)["resource"]
    texts = {"trust": resources["aws_iam_role"]["upload"]["assume_role_policy"]}
    for kind in ("aws_iam_policy", "aws_iam_user_policy"):
        texts |= {name: each["policy"] for name, each in resources[kind].items()}
    assert texts == report.documents
