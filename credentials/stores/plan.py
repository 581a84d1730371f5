"""What a store's account should hold: names, ARNs and documents. Pure."""

from dataclasses import dataclass

from builds.names import partition_of
from credentials.identities import boundary_policy, trust_policy, upload_policy, vendor_policy
from credentials.stores.documents import auditor_policy, revoker_policy

SHORTEST_ROLE_MAXIMUM = 3600


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The identities of one store, derived from its upload role's ARN.

    `prefix` begins the names of the users; stores of one account may share them. `vendor_arn`
    names a principal that exists already, of which nothing is changed; empty: a user is made.
    `with_sync` lets the upload role read objects, which only sync products need.
    `is_aws` says that the store is AWS itself, whose documented behaviour needs no trying.
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
    is_aws: bool = True

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
        return f"{self._account_arn}:policy/{self.boundary_name}"

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
        return f"arn:{partition_of(self.role_arn)}:s3:::{self.bucket}"

    @property
    def session_seconds(self) -> int:
        """The role's MaxSessionDuration, which AWS does not let be shorter than an hour."""
        return max(self.role_max_seconds, SHORTEST_ROLE_MAXIMUM)

    def user_name(self, kind: str) -> str:
        return f"{self.prefix}-{kind}"

    def user_arn(self, kind: str) -> str:
        return f"{self._account_arn}:user/{self.user_name(kind)}"

    def trust(self, *, refuse_sessions: bool) -> str:
        return trust_policy(
            vendor_arn=self.vendor, external_id=self.external_id, refuse_sessions=refuse_sessions
        )

    @property
    def documents(self) -> dict[str, str]:
        """Every policy document but the trust policy, by who carries it."""
        scope = {
            "role_arn": self.role_arn,
            "bucket": self.bucket,
            "kms_key_arn": self.kms_key_arn,
        }
        return {
            "vendor": vendor_policy(role_arns=[self.role_arn]),
            "upload": upload_policy(**scope, with_sync=self.with_sync),
            "boundary": boundary_policy(**scope, with_sync=self.with_sync),
            "auditor": auditor_policy(
                **scope, boundary_arn=self.boundary_arn, vendor_arn=self.vendor
            ),
            "revoker": revoker_policy(role_arn=self.role_arn, boundary_arn=self.boundary_arn),
        }

    @property
    def _account_arn(self) -> str:
        return self.role_arn.partition(":role/")[0]
