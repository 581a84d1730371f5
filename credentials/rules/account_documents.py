"""What a store's account should hold: names, ARNs and the policy document of each identity. Pure.

The vendor may assume the upload role and nothing else. The upload role reaches the builds of its
bucket, under a permissions boundary that says the same, and is narrowed further by every session's
own policy (`credentials/rules/policy.py`). On AWS its rights are a managed policy, so that all the
room for inline ones is left to revocations. The auditor looks, the revoker writes denials into the
role. Whoever sets a store up applies these documents as they are: compact JSON, since Ceph's
gateway reads no other.

`*` crosses `/` in ARNs, so `BUCKET/*/builds/*` is every key below any product's builds (AWS IAM
user guide, Resource element).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from builds.names import is_bucket_name, is_kms_key_arn, is_role_arn, partition_of
from credentials.rules.policy import (
    KMS_ACTIONS,
    SYNC_ACTIONS,
    WRITE_ACTIONS,
    Statement,
    document_text,
)

EVERY_BUILD = "*/builds/*"
WRITES = ("s3:PutObject", "s3:PutObjectAcl")

# Listed one by one: several uploaders always send `private`, which is harmless. A negated
# condition would not do, since stores disagree about what it means when the header is absent.
PUBLIC_ACLS = ("public-*", "authenticated-read", "aws-exec-read")
WIDER_ACLS = ("public-read-write", *PUBLIC_ACLS[1:])
GRANT_HEADERS = ("read", "write", "read-acp", "write-acp", "full-control")
ANY_VALUE = "?*"
ASSUMING = "sts:AssumeRole"
READING = "s3:GetObject"

# `s3:GetBucket*` is every setting of a bucket but these two, and reads no object (AWS service
# authorization reference, Amazon S3).
BUCKET_READS = (
    "s3:GetBucket*",
    "s3:GetLifecycleConfiguration",
    "s3:GetEncryptionConfiguration",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
)
OBJECT_READS = ("s3:GetObject", "s3:GetObjectAcl", "s3:ListMultipartUploadParts")
ROLE_READS = (
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
)
MANAGED_POLICY_READS = ("iam:GetPolicy", "iam:GetPolicyVersion")
USER_READS = (
    "iam:ListUserPolicies",
    "iam:GetUserPolicy",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
)
KEY_READS = ("kms:DescribeKey",)
# Ceph refuses a whole policy for one action that it does not know (measured on 16.2.15 and 20.2.4).
UNKNOWN_IN_CEPH_ACCOUNTS = {"s3:GetEncryptionConfiguration", *MANAGED_POLICY_READS}
UNKNOWN_TO_CEPH = {
    *UNKNOWN_IN_CEPH_ACCOUNTS,
    "iam:ListAttachedRolePolicies",
    "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser",
}
# AWS knows no role with a shorter maximum.
SHORTEST_ROLE_MAXIMUM = 3600

# Of one of the accounts of Ceph 19 and later; the ARNs of Ceph's other users have none.
_CEPH_ACCOUNT_ARN = re.compile(r"arn:aws[a-z-]*:iam::RGW[0-9]{17}\Z")
_PRINCIPAL_ARN = re.compile(r"arn:aws[a-z-]*:iam::[\w-]*:(?:user|role)/[\w+=,.@/-]+\Z", re.ASCII)
_MANAGED_POLICY_ARN = re.compile(r"arn:aws[a-z-]*:iam::[\w-]*:policy/[\w+=,.@/-]+\Z", re.ASCII)


class UnsafeIdentityError(ValueError):
    """A name from which no document is made: a wildcard in it would widen the document."""


@dataclass(frozen=True, kw_only=True)
class WantedAccount:
    """What the account of one store should hold, derived from its upload role's ARN.

    `prefix` begins the names of the users; stores of one account may share them. `vendor_arn`
    names a principal that exists already, of which nothing is changed; empty: a user is made.
    `with_sync` lets the upload role read objects, which only sync products need.
    `has_boundaries` says that the store knows permissions boundaries, without which a revoker is
    made only on request. `is_aws` says that the store is AWS itself, whose documented
    behaviour needs no trying.
    """

    bucket: str
    region: str
    role_arn: str
    role_max_seconds: int
    external_id: str = ""
    kms_key_arn: str = ""
    with_sync: bool = False
    vendor_arn: str = ""
    prefix: str = "ltdkeeper"
    trail_bucket: str = ""
    has_boundaries: bool = True
    is_aws: bool = True

    @property
    def account_arn(self) -> str:
        """What the ARNs of all identities in the account begin with."""
        return self.role_arn.partition(":role/")[0]

    @property
    def is_ceph_account(self) -> bool:
        """Whether it is one of the accounts of Ceph 19 and later."""
        return _CEPH_ACCOUNT_ARN.match(self.account_arn) is not None

    @property
    def role_name(self) -> str:
        return self.role_arn.rpartition("/")[2]

    @property
    def role_path(self) -> str:
        """What stands between `role` and the name in the ARN, slashes included."""
        return "/" + self.role_arn.partition("/")[2].removesuffix(self.role_name)

    @property
    def boundary_name(self) -> str:
        return f"{self.role_name}-boundary"

    @property
    def boundary_arn(self) -> str:
        return f"{self.account_arn}:policy/{self.boundary_name}"

    @property
    def upload_policy_arn(self) -> str:
        """The managed policy that gives the upload role its rights; empty where that is inline.

        Inline policies of a role share 10,240 characters; managed ones are not counted there (AWS
        IAM quotas). It is named like the role, as the inline one is.
        """
        return f"{self.account_arn}:policy/{self.role_name}" if self.is_aws else ""

    @property
    def auditor_policy_arn(self) -> str:
        """The managed policy that gives the auditor its rights; empty where that is inline.

        Inline policies of a user share 2,048 characters (AWS IAM quotas): too few for two stores.
        """
        return f"{self.account_arn}:policy/{self.role_name}-auditor" if self.is_aws else ""

    @property
    def makes_vendor(self) -> bool:
        return not self.vendor_arn

    @property
    def vendor(self) -> str:
        """The ARN that the trust policy names."""
        return self.vendor_arn or self.user_arn("vendor")

    @property
    def may_refuse_sessions(self) -> bool:
        """Whether the vendor could still assume the role: one that is a role itself could not."""
        return ":user/" in self.vendor

    @property
    def bucket_arn(self) -> str:
        return _bucket_arn(self.role_arn, self.bucket)

    @property
    def session_seconds(self) -> int:
        """The role's MaxSessionDuration."""
        return max(self.role_max_seconds, SHORTEST_ROLE_MAXIMUM)

    def user_name(self, kind: str) -> str:
        return f"{self.prefix}-{kind}"

    def user_arn(self, kind: str) -> str:
        return f"{self.account_arn}:user/{self.user_name(kind)}"

    def trust(self, *, refuse_sessions: bool) -> str:
        return trust_policy(
            vendor_arn=self.vendor, external_id=self.external_id, refuse_sessions=refuse_sessions
        )

    @property
    def documents(self) -> dict[str, str]:
        """Every policy document but the trust policy, by who carries it."""
        upload = upload_policy(
            role_arn=self.role_arn,
            bucket=self.bucket,
            kms_key_arn=self.kms_key_arn,
            with_sync=self.with_sync,
        )
        return {
            "vendor": vendor_policy(role_arns=[self.role_arn]),
            "upload": upload,
            "boundary": upload,
            "auditor": auditor_policy(
                role_arn=self.role_arn,
                boundary_arn=self.boundary_arn,
                bucket=self.bucket,
                vendor_arn=self.vendor,
                kms_key_arn=self.kms_key_arn,
                revoker_arn=self.user_arn("revoker"),
                upload_policy_arn=self.upload_policy_arn,
                trail_bucket=self.trail_bucket,
            ),
            "revoker": self.revoker_document,
        }

    @property
    def revoker_document(self) -> str:
        if not self.has_boundaries:
            return unbounded_revoker_policy(role_arn=self.role_arn)
        return revoker_policy(role_arn=self.role_arn, boundary_arn=self.boundary_arn)


def is_principal_arn(text: str) -> bool:
    """Whether it is the whole ARN of one user or role."""
    return _PRINCIPAL_ARN.match(text) is not None


def vendor_policy(*, role_arns: Sequence[str]) -> str:
    """The vendor's own policy: assume these upload roles, nothing else."""
    if not role_arns or not all(is_role_arn(arn) for arn in role_arns):
        raise UnsafeIdentityError("the vendor's policy names whole role ARNs, at least one")
    return document_text([_allow(ASSUMING, list(role_arns))])


def trust_policy(*, vendor_arn: str, external_id: str = "", refuse_sessions: bool = False) -> str:
    """Who may assume the upload role: exactly the vendor.

    `refuse_sessions` also refuses callers that are sessions themselves. Ceph's gateway needs it,
    or a session assumes the role again without its policy; on AWS it would lock out a vendor that
    runs under a role.
    """
    _require_principal(vendor_arn, "vendor")
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": vendor_arn},
        "Action": ASSUMING,
    }
    condition: dict[str, dict[str, str]] = {}
    if external_id:
        condition["StringEquals"] = {"sts:ExternalId": external_id}
    if refuse_sessions:
        condition["Null"] = {"aws:TokenIssueTime": "true"}
    return document_text([statement | ({"Condition": condition} if condition else {})])


def upload_policy(
    *,
    role_arn: str,
    bucket: str,
    kms_key_arn: str = "",
    with_sync: bool = False,
    with_public_read: bool = False,
) -> str:
    """The upload role's own policy: the builds of its bucket, never made public or redirected.

    Only sync products need to read objects. Purging needs `s3:DeleteObject` in any store.
    `with_public_read` spares that ACL, for a store whose presigned POSTs carry it.
    """
    bucket_arn = _bucket_arn(role_arn, bucket)
    actions = [*WRITE_ACTIONS, *SYNC_ACTIONS]
    if not with_sync:
        actions.remove(READING)
    listing = _allow("s3:ListBucket", bucket_arn)
    listing["Condition"] = {"StringLike": {"s3:prefix": EVERY_BUILD}}
    return document_text(
        [
            *_denials(bucket_arn, WIDER_ACLS if with_public_read else PUBLIC_ACLS),
            _allow(actions, f"{bucket_arn}/{EVERY_BUILD}"),
            listing,
            _allow("s3:GetBucketLocation", bucket_arn),
            *_key_rights(KMS_ACTIONS, kms_key_arn),
        ]
    )


# The upload role's permissions boundary is the same: the most that any policy put on the role can
# mean. Revoking rewrites policies of that role, and may replace its own one. With the boundary, it
# can neither widen the role nor take its denials away, which is why they are in here as well. AWS
# takes 6,144 characters of it (IAM quotas: managed policies).
boundary_policy = upload_policy


def post_signer_policy(
    *, role_arn: str, bucket: str, kms_key_arn: str = "", signer_arn: str = ""
) -> str:
    """The policy of an identity that signs POSTs for a store that takes none of a session.

    What it signs reaches one directory of one build; its key would reach every build. With
    `signer_arn` the same as the bucket's policy: Ceph 16 asks only that one about a POST, not the
    user's own (measured on 16.2.15).
    """
    writing = _allow("s3:PutObject", f"{_bucket_arn(role_arn, bucket)}/{EVERY_BUILD}")
    if signer_arn:
        _require_principal(signer_arn, "signer")
        return document_text([writing | {"Principal": {"AWS": signer_arn}}])
    return document_text([writing, *_key_rights("kms:GenerateDataKey", kms_key_arn)])


def auditor_policy(
    *,
    role_arn: str,
    boundary_arn: str,
    bucket: str,
    vendor_arn: str = "",
    kms_key_arn: str = "",
    revoker_arn: str = "",
    upload_policy_arn: str = "",
    trail_bucket: str = "",
) -> str:
    """Look at the bucket, its objects and settings, the upload role with its managed policies, the
    vendor and the revoker, and at CloudTrail's logs where their bucket is named; change nothing.

    The last two are users or roles of the same account; those of another cannot be looked at.
    Actions that a Ceph would refuse are left out for it.
    """
    bucket_arn = _bucket_arn(role_arn, bucket)
    managed = [boundary_arn, *([upload_policy_arn] if upload_policy_arn else [])]
    for arn in managed:
        _require_managed_policy(arn)
    statements = [
        _allow(BUCKET_READS, bucket_arn),
        _allow(OBJECT_READS, f"{bucket_arn}/*"),
        _allow(ROLE_READS, role_arn),
        _allow(MANAGED_POLICY_READS, managed if upload_policy_arn else boundary_arn),
        *_identity_reads("vendor", vendor_arn, role_arn),
        *_identity_reads("revoker", revoker_arn, role_arn),
        *_key_rights(KEY_READS, kms_key_arn),
        *_trail_reads(role_arn, trail_bucket),
    ]
    return document_text(_known_to_store(statements, role_arn))


def _known_to_store(statements: list[Statement], role_arn: str) -> list[Statement]:
    """Without the actions that a Ceph does not know."""
    account = role_arn.partition(":role/")[0]
    unknown: set[str] = UNKNOWN_TO_CEPH if account.endswith("::") else set()
    if _CEPH_ACCOUNT_ARN.match(account):
        unknown = UNKNOWN_IN_CEPH_ACCOUNTS
    known = [(each, [a for a in each["Action"] if a not in unknown]) for each in statements]
    return [each | {"Action": actions} for each, actions in known if actions]


def _trail_reads(role_arn: str, bucket: str) -> list[Statement]:
    """The logs, their digests, and the public keys that these are signed for."""
    if not bucket:
        return []
    arn = _bucket_arn(role_arn, bucket)
    return [
        _allow(("s3:ListBucket",), arn),
        _allow(("s3:GetObject",), f"{arn}/*"),
        _allow(("cloudtrail:ListPublicKeys",), "*"),
    ]


def revoker_policy(*, role_arn: str, boundary_arn: str) -> str:
    """Rewrite the upload role's inline policies, as long as the role carries the boundary, and read
    them back.

    Without the condition it could write itself any right that the role's account has.
    """
    _require_managed_policy(boundary_arn)
    writing = _revoker_right("iam:PutRolePolicy", role_arn)
    writing["Condition"] = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn}}
    return document_text([writing, _revoker_right("iam:GetRolePolicy", role_arn)])


def unbounded_revoker_policy(*, role_arn: str) -> str:
    """The same for a store without boundaries: with it, the role can be given any right.

    Only for operators who ask for it (`bootstrap_store --with-revoker`).
    """
    actions = ("iam:PutRolePolicy", "iam:GetRolePolicy")
    return document_text([_revoker_right(each, role_arn) for each in actions])


def _revoker_right(action: str, role_arn: str) -> Statement:
    if not is_role_arn(role_arn):
        raise UnsafeIdentityError("not the whole ARN of a role")
    return _allow((action,), role_arn)


def vendor_denial(*, vendor_arn: str, bucket_arn: str) -> Statement:
    """For the bucket's policy: the vendor's own key reaches nothing in it, its sessions do.

    Without the condition it would refuse the sessions too (measured on Ceph 16.2.15).
    """
    return {
        "Sid": "LtdkeeperVendorHasNoObjects",
        "Effect": "Deny",
        "Principal": {"AWS": vendor_arn},
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Null": {"aws:TokenIssueTime": "true"}},
    }


def _identity_reads(who: str, arn: str, role_arn: str) -> list[Statement]:
    account = role_arn.partition(":role/")[0]
    is_user = arn.startswith(f"{account}:user/")
    if not is_user and not arn.startswith(f"{account}:role/"):
        return []
    _require_principal(arn, who)
    return [_allow(USER_READS if is_user else ROLE_READS, arn)]


def _key_rights(actions: str | Sequence[str], kms_key_arn: str) -> list[Statement]:
    """What may be done with the store's key; nothing where it has none."""
    if not kms_key_arn:
        return []
    if not is_kms_key_arn(kms_key_arn):
        raise UnsafeIdentityError("not a KMS key's ARN")
    return [_allow(actions, kms_key_arn)]


def _denials(bucket_arn: str, acls: Sequence[str]) -> list[Statement]:
    """One statement per header: conditions within one statement must all hold.

    Nor may a session assume a role, this one again least of all, whoever trusts it.
    """
    refused: dict[str, str | list[str]] = {"s3:x-amz-acl": list(acls)}
    refused |= {f"s3:x-amz-grant-{name}": ANY_VALUE for name in GRANT_HEADERS}
    refused |= {"s3:x-amz-website-redirect-location": ANY_VALUE}
    denials = [_deny_write(f"{bucket_arn}/*", header, values) for header, values in refused.items()]
    return [*denials, {"Effect": "Deny", "Action": ASSUMING, "Resource": "*"}]


def _deny_write(resource: str, header: str, values: str | list[str]) -> Statement:
    return {
        "Effect": "Deny",
        "Action": list(WRITES),
        "Resource": resource,
        "Condition": {"StringLike": {header: values}},
    }


def _allow(actions: str | Sequence[str], resources: str | list[str]) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _bucket_arn(role_arn: str, bucket: str) -> str:
    if not is_role_arn(role_arn) or not is_bucket_name(bucket):
        raise UnsafeIdentityError("not a role's ARN and a bucket's name")
    return f"arn:{partition_of(role_arn)}:s3:::{bucket}"


def _require_principal(arn: str, who: str) -> None:
    if not is_principal_arn(arn):
        raise UnsafeIdentityError(f"the {who} is not the whole ARN of a user or role")


def _require_managed_policy(arn: str) -> None:
    if not _MANAGED_POLICY_ARN.match(arn):
        raise UnsafeIdentityError("the boundary or policy is not the whole ARN of a policy")
