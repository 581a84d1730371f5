"""What the checks of one store are made with: both hands, the canary build, and its session."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from builds.models import Build, Store
from credentials.doctor.expected import Expected
from credentials.doctor.hand import Hand
from credentials.doctor.obstacles import NotLookedAt, NotSupported, Obstacle
from credentials.doctor.principals import identity_of, is_session, kind_of
from credentials.doctor.statements import UnreadableDocumentError
from credentials.doctor.strangers import exact_principals
from credentials.operations.isolation.checking import Canaries
from credentials.vending.issuing import VendedSession


@dataclass(kw_only=True)
class Scene:
    """One store under examination. `written` are the keys of test objects that may be there."""

    store: Store
    canaries: Canaries
    auditor: Hand
    vendor: Hand
    session: VendedSession | None = None
    written: list[str] = field(default_factory=list)

    @property
    def build(self) -> Build:
        """The canary build: every test object lies below its root."""
        return self.canaries.own

    @cached_property
    def expected(self) -> Expected:
        """What must be right, with the vendor's name as far as it can be told."""
        try:
            caller = self.caller()
        except NotSupported:
            return replace(self.vendor.expected, vendor_arn=self._trusted())
        except Obstacle:
            return self.vendor.expected
        identity = identity_of(caller)
        return replace(
            self.vendor.expected,
            # Nobody else can be named in a trust policy by a name that lasts.
            vendor_arn=identity if kind_of(identity) in {"user", "role"} else "",
            vendor_is_session=is_session(caller),
        )

    def _trusted(self) -> str:
        """The only identity that the role trusts: if the vendor can assume it, it is the vendor."""
        try:
            names = exact_principals(self.role["AssumeRolePolicyDocument"])
        except (Obstacle, UnreadableDocumentError):
            return ""
        return names.pop() if len(names) == 1 else ""

    def caller(self) -> str:
        """The ARN that the vendor calls with. Raises an Obstacle."""
        answer = self.vendor.ask(self.vendor.sts, "get_caller_identity") or {}
        if arn := str(answer.get("Arn", "")):
            return arn
        raise NotSupported("this store does not tell who calls")

    @property
    def role(self) -> Any:
        """The upload role as the store has it. Raises NotLookedAt when there is none."""
        if self.found_role is None:
            raise NotLookedAt("there is no role")
        return self.found_role

    @property
    def is_without_role(self) -> bool:
        """Whether the role is known not to be there."""
        try:
            return self.found_role is None
        except Obstacle:
            return False

    @cached_property
    def found_role(self) -> Any:
        """The upload role, or None."""
        name = self.vendor.expected.role_name
        answer = self.auditor.ask(self.auditor.iam, "get_role", RoleName=name)
        return answer and answer["Role"]
