"""What a store's account on AWS should hold, as a configuration in Terraform's JSON syntax.

For accounts that nobody changes by hand. It makes all that `bootstrap_store --apply` makes but the
access keys: Terraform would keep their secrets in its state.
"""

from typing import Any

from credentials.operations.account.bucket import ALL_BLOCKED, NO_ACLS, UNFINISHED_RULE
from credentials.rules.account_documents import WantedAccount
from credentials.rules.principals import name_of

Resources = dict[str, dict[str, dict[str, Any]]]
PROVIDER = {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}
BUCKET = "${aws_s3_bucket.builds.id}"
# Terraform's names of the settings that are on.
BLOCKED = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


def terraform(account: WantedAccount) -> dict[str, Any]:
    """One `.tf.json` document. The account has to be one of AWS."""
    return {
        "terraform": {"required_providers": PROVIDER},
        "provider": {"aws": {"region": account.region}},
        "resource": _bucket(account) | _role(account) | _users(account),
    }


def _bucket(account: WantedAccount) -> Resources:
    unfinished = {
        "id": UNFINISHED_RULE["ID"],
        "status": UNFINISHED_RULE["Status"],
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {
            "days_after_initiation": UNFINISHED_RULE["AbortIncompleteMultipartUpload"][
                "DaysAfterInitiation"
            ]
        },
    }
    blocked = {BLOCKED[name]: is_on for name, is_on in ALL_BLOCKED.items()}
    settings: dict[str, dict[str, Any]] = {
        "ownership_controls": {"rule": {"object_ownership": NO_ACLS}},
        "public_access_block": blocked,
        "lifecycle_configuration": {"rule": unfinished},
    }
    bucket = {"bucket": account.bucket, "lifecycle": {"prevent_destroy": True}}
    return {"aws_s3_bucket": {"builds": bucket}} | {
        f"aws_s3_bucket_{kind}": {"builds": {"bucket": BUCKET} | setting}
        for kind, setting in settings.items()
    }


def _role(account: WantedAccount) -> Resources:
    names = {
        "boundary": account.boundary_name,
        "upload": account.role_name,
        "auditor": name_of(account.auditor_policy_arn),
    }
    role = {
        "name": account.role_name,
        "path": account.role_path,
        "max_session_duration": account.session_seconds,
        "assume_role_policy": account.trust(refuse_sessions=False),
        "permissions_boundary": "${aws_iam_policy.boundary.arn}",
    }
    if account.makes_vendor:  # AWS refuses a trust policy that names nobody
        role["depends_on"] = ["aws_iam_user.vendor"]
    return {
        "aws_iam_policy": {
            kind: {"name": name, "policy": account.documents[kind]} for kind, name in names.items()
        },
        "aws_iam_role": {"upload": role},
        "aws_iam_role_policy_attachment": {
            "upload": {
                "role": "${aws_iam_role.upload.name}",
                "policy_arn": "${aws_iam_policy.upload.arn}",
            }
        },
    }


def _users(account: WantedAccount) -> Resources:
    """Those that `bootstrap_store` makes, each with its policy."""
    inline = [*(["vendor"] if account.makes_vendor else []), "revoker"]
    return {
        "aws_iam_user": {kind: {"name": account.user_name(kind)} for kind in [*inline, "auditor"]},
        "aws_iam_user_policy": {
            kind: {
                "name": account.role_name,
                "user": f"${{aws_iam_user.{kind}.name}}",
                "policy": account.documents[kind],
            }
            for kind in inline
        },
        "aws_iam_user_policy_attachment": {
            "auditor": {
                "user": "${aws_iam_user.auditor.name}",
                "policy_arn": "${aws_iam_policy.auditor.arn}",
            }
        },
    }
