"""What the doctor's checks of one store are made with: clients, a probe build, and its session."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import boto3

from builds.models import Build, Store
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.identities import managed_policy
from credentials.operations.account.obstacles import (
    NotLookedAt,
    NotSupported,
    Obstacle,
    Unclear,
    Whose,
    describe,
)
from credentials.operations.account.requirements import wanted_account
from credentials.operations.isolation.checking import ProbeBuilds, probe_builds
from credentials.rules.account_documents import WantedAccount, is_principal_arn
from credentials.rules.policy_comparison import (
    UnreadableDocumentError,
    is_denial,
    rights_of,
    statements_of,
)
from credentials.rules.principals import account_of, identity_of, is_same, kind_of, name_of
from credentials.vending.issuing import VendedSession


@dataclass(kw_only=True)
class Examination:
    """One store under examination. `written` are the keys of test objects that may be there."""

    store: Store
    probes: ProbeBuilds
    auditor: StoreClients
    vendor: StoreClients
    revoker: StoreClients
    session: VendedSession | None = None
    written: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def of(
        cls,
        store: Store,
        *,
        auditor: boto3.session.Session | None,
        revoker: boto3.session.Session | None,
    ) -> Iterator[Self]:
        """With builds of this examination's own, which are closed at its end.

        The vendor's credentials are the service's own, from boto3's usual places.
        """
        silent: set[str] = set()
        with probe_builds(store) as probes:
            yield cls(
                store=store,
                probes=probes,
                auditor=StoreClients(
                    store=store, whose=Whose.AUDITOR, session=auditor, silent=silent
                ),
                vendor=StoreClients(store=store, whose=Whose.VENDOR, silent=silent),
                revoker=StoreClients(
                    store=store, whose=Whose.REVOKER, session=revoker, silent=silent
                ),
            )

    @property
    def build(self) -> Build:
        """The probe build: every test object lies below its root."""
        return self.probes.own

    @property
    def takes_acls(self) -> bool:
        """Whether presigned POSTs of the store carry an ACL."""
        return self.store.acl_mode != Store.ACLMode.NONE

    @property
    def page(self) -> str:
        """The key of the page that is written for the other checks."""
        return f"{self.build.root}/index.html"

    @property
    def role(self) -> Any:
        """The upload role as the store has it. Raises NotLookedAt when there is none."""
        if self.found_role is None:
            raise NotLookedAt(reason="there is no role")
        return self.found_role

    @cached_property
    def found_role(self) -> Any:
        """The upload role, or None."""
        name = name_of(self.store.role_arn)
        answer = self.auditor.ask("iam", "get_role", RoleName=name)
        return answer and answer["Role"]

    def bucket_setting(self, method: str) -> Any:
        """A setting of the bucket; None when it is not set. Raises NoBucket.

        AWS knows them all: there, 405 says that the auditor is of another account than the bucket
        (AWS S3 API reference, GetBucketPolicy).
        """
        try:
            return self.auditor.ask("s3", method, Bucket=self.store.bucket)
        except NotSupported as err:
            if self.store.endpoint_url:
                raise
            raise Unclear(action=method, answer=describe(err)) from err

    @property
    def is_without_role(self) -> bool:
        """Whether the role is known not to be there."""
        try:
            return self.found_role is None
        except Obstacle:
            return False

    @cached_property
    def vendor_arn(self) -> str:
        """The vendor's user or role; empty where it cannot be known.

        Where the store does not tell who calls, the only identity that the role trusts: if the
        vendor can assume the role, it is that one.
        """
        trusted = self._trusted()
        try:
            identity = identity_of(self.vendor.caller())
        except Obstacle:
            return trusted.pop() if len(trusted) == 1 else ""
        # A session does not tell its role's path, which the trust policy has.
        named = [arn for arn in trusted if is_same(arn, identity)]
        # Nobody but a user or role has a name that lasts.
        return next(iter(named), identity if kind_of(identity) in {"user", "role"} else "")

    @cached_property
    def revoker_arn(self) -> str:
        """Who the revoker's profile is; without one, or where the store does not tell, the user
        that `bootstrap_store` makes.
        """
        if self.revoker.session is not None:
            with suppress(NotSupported):
                return identity_of(self.revoker.caller())
        return self.account.user_arn("revoker")

    def _trusted(self) -> set[str]:
        """The users and roles that the trust policy names, whoever they are."""
        try:
            statements = statements_of(self.role["AssumeRolePolicyDocument"])
        except (Obstacle, UnreadableDocumentError, KeyError):
            return set()
        allowed = [right for each in statements if not is_denial(each) for right in rights_of(each)]
        return {arn for right in allowed if is_principal_arn(arn := right.principal[len("AWS ") :])}

    @cached_property
    def account(self) -> WantedAccount:
        """What the account should hold."""
        return wanted_account(self.store, vendor_arn=self.vendor_arn, prefix=self.prefix)

    @property
    def prefix(self) -> str:
        """What the names of the account's users begin with, as the vendor's tells."""
        users = f"{account_of(self.store.role_arn)}:user/"
        name = self.vendor_arn.removeprefix(users)
        prefix = name.removesuffix("-vendor")
        is_made = self.vendor_arn == f"{users}{prefix}-vendor"
        return prefix if is_made else "ltdkeeper"

    def require_managed_policies(self) -> None:
        """Raises NotSupported where a store knows no managed policies, and so no boundary."""
        try:
            managed_policy(self.auditor, self.account.boundary_arn)
        except NotSupported:
            raise
        except Obstacle:
            return  # it knows them, whether or not the auditor may see this one

    @property
    def set_up(self) -> str:
        """The command that puts right what of the account can be put right."""
        options, prefix = "", self.prefix
        if self.vendor_arn == f"{account_of(self.store.role_arn)}:user/{prefix}-vendor":
            options = "" if prefix == "ltdkeeper" else f" --prefix {prefix}"
        elif self.vendor_arn:
            options = f" --vendor-arn {self.vendor_arn}"
        return f"manage.py bootstrap_store --store {self.store.name}{options} --apply"
