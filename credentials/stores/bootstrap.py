"""Sets a store's account up, or says what that would do: the identities and the bucket."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from credentials.stores.bucket import has_owners, settle_bucket
from credentials.stores.operator import AccessKey, Operator
from credentials.stores.outcomes import Outcome, Status
from credentials.stores.plan import Plan
from credentials.stores.role import (
    boundary_policy_setting,
    boundary_setting,
    duration_setting,
    upload_policy_setting,
)
from credentials.stores.setting import settle
from credentials.stores.trust import settle_trust
from credentials.stores.users import settle_user
from credentials.stores.vendors_objects import settle_vendors_objects

if TYPE_CHECKING:
    from builds.models import Store

WHY_VENDOR = "This service runs with it; it may assume upload roles and do nothing else."
WHY_AUDITOR = "Audits look at the bucket and at the role with it, and change nothing."
WHY_REVOKER = "Revoking writes denials into the role with it, and cannot widen the role."
NO_REVOKER = "Not made: without a boundary, who may rewrite the role's policies may do anything."
NO_RIGHTS = "Not given its rights while a step above has failed."


@dataclass(kw_only=True)
class Report:
    """Every step and what became of it, the documents, and the keys that were made now.

    `has_rights` says that the upload role's policy is the one in the documents, `has_api` that the
    store lets it be set at all.
    """

    store_name: str
    applied: bool
    outcomes: list[Outcome] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    keys: dict[str, AccessKey] = field(default_factory=dict)
    has_rights: bool = False
    has_api: bool = True

    @property
    def has_failed(self) -> bool:
        return any(outcome.status is Status.FAILED for outcome in self.outcomes)

    @property
    def has_changed(self) -> bool:
        changes = {Status.MADE, Status.CHANGED}
        return any(outcome.status in changes for outcome in self.outcomes)


def plan_for(
    store: "Store", *, with_sync: bool = False, vendor_arn: str = "", prefix: str = "ltdkeeper"
) -> Plan:
    """What the account of a store should hold; `with_sync` also for one that is not marked so."""
    return Plan(
        bucket=store.bucket,
        region=store.region,
        role_arn=store.role_arn,
        role_max_seconds=store.role_max_seconds,
        external_id=store.external_id,
        kms_key_arn=store.kms_key_arn,
        with_sync=store.with_sync or with_sync,
        vendor_arn=vendor_arn,
        prefix=prefix,
        is_aws=not store.endpoint_url,
    )


def bootstrap_store(
    *,
    operator: Operator,
    plan: Plan,
    vendor_key: AccessKey | None,
    apply: bool,
    report: Report | None = None,
) -> Report:
    """Go through every step; with `apply`, do what is missing. Safe to repeat.

    What the store refuses or does not know is an outcome, not an error. The role gets its rights
    last, and not at all while anything that limits it has failed. A `report` that the caller gives
    holds what was done even when the run breaks off: keys that were made are shown only now.
    """
    report = report or Report(store_name=operator.store_name, applied=apply)
    bucket = settle_bucket(operator.s3, plan, apply=apply)
    report.outcomes += bucket
    made_key = _settle_vendor(report, operator, plan, apply=apply)
    if has_owners(bucket):
        report.outcomes.append(settle_vendors_objects(operator.s3, plan, apply=apply))
    _settle_role(report, operator, plan, vendor_key or made_key, apply=apply)
    _settle_clock(report, operator, plan, apply=apply)
    return report


def _settle_vendor(
    report: Report, operator: Operator, plan: Plan, *, apply: bool
) -> AccessKey | None:
    if plan.makes_vendor:
        return _settle_user(report, operator, plan, "vendor", WHY_VENDOR, apply=apply)
    detail = "Left as it is. It needs the document named vendor of --format json, nothing else."
    report.outcomes.append(
        Outcome(what=plan.vendor, why=WHY_VENDOR, status=Status.BY_HAND, detail=detail)
    )
    return None


def _settle_role(
    report: Report, operator: Operator, plan: Plan, key: AccessKey | None, *, apply: bool
) -> None:
    iam = operator.iam
    boundary = settle(boundary_policy_setting(iam, plan), apply=apply)
    trust = settle_trust(operator, plan, vendor_key=key, apply=apply)
    limits = [boundary, *trust.outcomes]
    if boundary.status is not Status.NOT_SUPPORTED:
        limits.append(settle(boundary_setting(iam, plan), apply=apply))
    rights = upload_policy_setting(iam, plan)
    if any(limit.status is Status.FAILED for limit in limits):
        withheld = Outcome(what=rights.what, why=rights.why, status=Status.FAILED, detail=NO_RIGHTS)
        report.outcomes += [*limits, withheld]
    else:
        duration = settle(duration_setting(iam, plan), apply=apply)
        given = settle(rights, apply=apply)
        report.outcomes += [*limits, duration, given]
        report.has_api = given.status is not Status.NOT_SUPPORTED
        report.has_rights = given.status in {Status.MADE, Status.CHANGED, Status.UNCHANGED}
    report.documents = {
        "trust": plan.trust(refuse_sessions=trust.refuses_sessions),
        **plan.documents,
    }


def _settle_clock(report: Report, operator: Operator, plan: Plan, *, apply: bool) -> None:
    """The identities that audits and revocations use."""
    _settle_user(report, operator, plan, "auditor", WHY_AUDITOR, apply=apply)
    boundary = [o for o in report.outcomes if o.what.startswith("boundary")]
    if all(outcome.status not in {Status.NOT_SUPPORTED, Status.FAILED} for outcome in boundary):
        _settle_user(report, operator, plan, "revoker", WHY_REVOKER, apply=apply)
        return
    report.outcomes.append(
        Outcome(
            what=f"user {plan.user_name('revoker')}",
            why=WHY_REVOKER,
            status=Status.NOT_SUPPORTED,
            detail=NO_REVOKER,
        )
    )


def _settle_user(
    report: Report, operator: Operator, plan: Plan, kind: str, why: str, *, apply: bool
) -> AccessKey | None:
    outcomes, key = settle_user(operator.iam, plan, kind, why=why, apply=apply)
    report.outcomes += outcomes
    if key:
        report.keys[kind] = key
    return key
