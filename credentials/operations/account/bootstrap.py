"""Sets up a store's account, or says what that would do: the identities and the bucket."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from credentials.operations.account import bucket, identities
from credentials.operations.account.assuming import new_key, settle_trust
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import FORBIDDEN, describe
from credentials.operations.account.requirements import (
    FAILURES,
    Requirement,
    Status,
    Step,
    settle,
)
from credentials.rules.account_documents import WantedAccount
from credentials.vending.store_clients import AccessKey
from credentials.vending.store_errors import CALL_FAILED, http_status

NO_REVOKER = (
    "Not created: without a boundary, whoever may rewrite the role's policies may do anything. "
    "Revoke with your own credentials (manage.py revoke --profile), or create it with "
    "--with-revoker."
)
UNBOUNDED = (
    "This store has no boundaries: the revoker can give the upload role any right. Protect its key "
    "like your own."
)
BY_HAND = "Left as it is. It needs the document named vendor of --format json, nothing else."
NO_RIGHTS = "Its rights are not granted while a step above has failed."
NO_API = (
    "the upload role and its rights are not supported here; use the store's own tools, with these "
    "documents."
)
IN_FORCE = {Status.MADE, Status.CHANGED, Status.UNCHANGED}
ENDED = {Status.NOT_SUPPORTED, Status.FAILED}
PROBE_KEY = "ltdkeeper-bootstrap-probe"


@dataclass(kw_only=True)
class Report:
    """Every step and what became of it, the documents, and the keys that were made now.

    `has_rights` says that the upload role's policy is the one in the documents, `has_api` that the
    store lets it be set at all. New secret keys are reported, since they can be shown only now.
    """

    store_name: str
    applied: bool
    steps: list[Step] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    keys: dict[str, AccessKey] = field(default_factory=dict)
    has_rights: bool = False
    has_api: bool = True

    @property
    def has_failed(self) -> bool:
        return any(step.status is Status.FAILED for step in self.steps)

    @property
    def has_changed(self) -> bool:
        return any(step.status in {Status.MADE, Status.CHANGED} for step in self.steps)

    def lines(self) -> Iterator[str]:
        """For people: each step with its reason, the keys, then one sentence on the whole."""
        for step in self.steps:
            yield f"{step.status.value:<14} {step.what}"
            yield f"{'':<14} {step.why}"
            if step.detail:
                yield f"{'':<14} ! {step.detail}"
        if not self.has_api:
            for name, document in self.documents.items():
                yield f"The document named {name}:"
                yield f"  {document}"
        for name, key in self.keys.items():
            yield f"The key of the {name}, shown only now:"
            yield f"  AWS_ACCESS_KEY_ID={key.access_key_id}"
            yield f"  AWS_SECRET_ACCESS_KEY={key.secret_access_key.reveal()}"
        yield f"Store {self.store_name}: {self._summary()}"

    def _summary(self) -> str:
        if self.has_failed:
            return "not complete. Fix the failed steps, then run it again."
        if not self.has_api:
            would = {Status.WOULD_MAKE, Status.WOULD_CHANGE}
            has_rest = any(step.status in would for step in self.steps)
            return f"{NO_API}{' --apply does the rest.' if has_rest else ''}"
        if not self.applied:
            return "Nothing was changed. --apply makes these changes."
        return "set up." if self.has_changed else "Nothing had to be changed."

    def document(self, **error: str) -> dict[str, Any]:
        """For machines: one object, with the reason where a run broke off."""
        return {
            "store": self.store_name,
            "applied": self.applied,
            "changed": self.has_changed,
            "failed": self.has_failed,
            "supported": self.has_api,
            "steps": self.steps,
            "documents": {name: json.loads(text) for name, text in self.documents.items()},
            "keys": {
                name: {
                    "access_key_id": key.access_key_id,
                    "secret_access_key": key.secret_access_key.reveal(),
                }
                for name, key in self.keys.items()
            },
            **error,
        }


def bootstrap_store(
    *,
    clients: StoreClients,
    account: WantedAccount,
    vendor_key: AccessKey | None,
    apply: bool,
    with_revoker: bool = False,
    report: Report | None = None,
) -> Report:
    """Go through every step; with `apply`, do what is missing. Safe to repeat.

    What the store refuses or does not know is a step's status, not an error. The role gets its
    rights last, and not at all while anything that limits it has failed. A `report` that the caller
    gives holds what was done even when the run breaks off: keys that were made are shown only now.
    """
    report = report or Report(store_name=clients.store.name, applied=apply)
    # Made first: where a name is not legal, nothing is changed.
    report.documents = {"trust": account.trust(refuse_sessions=False), **account.documents}
    run = Run(clients=clients, account=account, apply=apply, report=report)
    if account.is_ceph_account and not run.is_in_account():
        return report
    run.bucket()
    made_key = run.vendor()
    if run.objects_have_owners:
        run.settle(bucket.nothing_for_the_vendor(clients, account))
    run.role(vendor_key or made_key)
    run.user("auditor")
    run.revoker(is_wanted=with_revoker)
    return report


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: each step is noted in the report."""

    clients: StoreClients
    account: WantedAccount
    apply: bool
    report: Report

    def settle(self, requirement: Requirement) -> Step:
        return self._note(settle(requirement, apply=self.apply))

    def _note(self, step: Step) -> Step:
        """AWS knows all of it: there, what was not done has failed, and is not done without."""
        if self.account.is_aws and step.status is Status.NOT_SUPPORTED:
            step = replace(step, status=Status.FAILED)
        self.report.steps.append(step)
        return step

    def is_in_account(self) -> bool:
        """Whether what is made with the operator's key belongs to the role's account."""
        step = settle(identities.ceph_account(self.clients, self.account), apply=True)
        is_there = step.status is Status.UNCHANGED
        self._note(step if is_there else replace(step, status=Status.FAILED))
        return is_there

    def bucket(self) -> None:
        """The bucket first, then its settings."""
        self.settle(bucket.bucket(self.clients, self.account))
        self.settle(bucket.ownership(self.clients, self.account))
        self._note(settle_public_access(self.clients, self.account, apply=self.apply))
        self.settle(bucket.unfinished_uploads(self.clients, self.account))

    @property
    def objects_have_owners(self) -> bool:
        """Whether objects belong to who wrote them: the store knows no other way.

        In one of Ceph's accounts they belong to the account (measured on 20.2.4).
        """
        steps = {step.what: step.status for step in self.report.steps}
        is_unknown = steps[bucket.ACLS_OFF] is Status.NOT_SUPPORTED
        return is_unknown and not self.account.is_ceph_account

    def vendor(self) -> AccessKey | None:
        if self.account.makes_vendor:
            return self.user("vendor")
        what, why = self.account.vendor, identities.WHY_USER["vendor"]
        self._note(Step(what=what, why=why, status=Status.BY_HAND, detail=BY_HAND))
        return None

    def role(self, vendor_key: AccessKey | None) -> None:
        """Its limits, and its rights where these hold."""
        clients, account, report = self.clients, self.account, self.report
        before = len(report.steps)
        boundary = self.settle(identities.boundary_policy(clients, account))
        trust = settle_trust(clients, account, vendor_key=vendor_key, apply=self.apply)
        for step in trust.steps:
            self._note(step)
        if boundary.status is not Status.NOT_SUPPORTED:
            self.settle(identities.role_boundary(clients, account))
        rights = identities.role_rights(clients, account)
        if any(limit.status is Status.FAILED for limit in report.steps[before:]):
            what, why = rights[0].what, rights[0].why
            self._note(Step(what=what, why=why, status=Status.FAILED, detail=NO_RIGHTS))
        else:
            self.settle(identities.longest_session(clients, account))
            given = self.in_turn(rights)
            report.has_api = given is not Status.NOT_SUPPORTED
            report.has_rights = given in IN_FORCE
        report.documents["trust"] = account.trust(refuse_sessions=trust.refuses_sessions)

    def in_turn(self, requirements: Sequence[Requirement]) -> Status:
        """How the last step ended that was come to: none is made after one that was not."""
        for each in requirements:
            status = self.settle(each).status
            if status in ENDED:
                break
        return status

    def revoker(self, *, is_wanted: bool) -> None:
        """Only where a boundary limits what it can write, or where the operator wants it so."""
        found = {s.status for s in self.report.steps if s.what.startswith("boundary")}
        if not found & ENDED:
            self.user("revoker")
            return
        name, why = self.account.user_name("revoker"), identities.WHY_USER["revoker"]
        has_failed = Status.FAILED in found
        if has_failed or not is_wanted:
            status = Status.FAILED if has_failed else Status.NOT_SUPPORTED
            detail = NO_RIGHTS if has_failed else NO_REVOKER
            self._note(Step(what=f"user {name}", why=why, status=status, detail=detail))
            return
        unbounded = replace(self, account=replace(self.account, has_boundaries=False))
        self.report.documents["revoker"] = unbounded.account.documents["revoker"]
        unbounded.user("revoker")
        what = f"what {name} can do"
        self._note(Step(what=what, why=why, status=Status.BY_HAND, detail=UNBOUNDED))

    def user(self, kind: str) -> AccessKey | None:
        """A user, its policy and its key; the key only where it was made now."""
        if self.settle(identities.user(self.clients, self.account, kind)).status in ENDED:
            return None
        self.in_turn(identities.user_rights(self.clients, self.account, kind))
        step, key = _settle_key(self.clients, self.account.user_name(kind), apply=self.apply)
        self._note(step)
        if key:
            self.report.keys[kind] = key
        return key


def settle_public_access(clients: StoreClients, account: WantedAccount, *, apply: bool) -> Step:
    """Block public access; where uploads then fail, all of it but `BlockPublicAcls`.

    Ceph 16 refuses every PUT under that one, also of the bucket's owner (measured, and described in
    Ceph's pull request 30033). Whether a store does is found by writing and removing an object.
    """
    blocking = bucket.public_access_block(clients, account)
    step = settle(blocking, apply=apply)
    if account.is_aws or not apply or step.status not in IN_FORCE:
        return step
    if not _refuses_uploads(clients, account.bucket):
        return step
    narrower = bucket.public_access_block(clients, account, bucket.NEW_ACLS_ALLOWED)
    narrowed = settle(narrower, apply=True)
    if _refuses_uploads(clients, account.bucket):  # so that was not the reason
        settle(replace(blocking, tolerated=None), apply=True)
        detail = "The operator may not write to the bucket: whether uploads still work is unknown."
        return replace(step, detail=detail)
    if narrowed.status is Status.FAILED:
        return narrowed
    return replace(narrowed, status=Status.NOT_SUPPORTED, detail=blocking.tolerance)


def _refuses_uploads(clients: StoreClients, bucket_name: str) -> bool:
    """Whether it says so: no response is not a refusal, and loosens nothing. That the object cannot
    be removed afterwards says nothing about uploads.
    """
    try:
        clients.s3.put_object(Bucket=bucket_name, Key=PROBE_KEY, Body=b"")
    except CALL_FAILED as err:
        return isinstance(err, ClientError) and http_status(err) == FORBIDDEN
    with suppress(*CALL_FAILED):
        clients.s3.delete_object(Bucket=bucket_name, Key=PROBE_KEY)
    return False


def _settle_key(clients: StoreClients, user: str, *, apply: bool) -> tuple[Step, AccessKey | None]:
    """A user with a key keeps it: its secret cannot be read back, and it may be in use."""

    def step(status: Status, detail: str = "") -> Step:
        why = "What its holder signs requests with. The secret is shown once."
        return Step(what=f"access key of {user}", why=why, status=status, detail=detail)

    try:
        answer = clients.ask("iam", "list_access_keys", UserName=user)
        if answer and answer["AccessKeyMetadata"]:
            return step(Status.UNCHANGED), None
        if not apply:
            return step(Status.WOULD_MAKE), None
        return step(Status.MADE), new_key(clients, user)
    except FAILURES as err:
        return step(Status.FAILED, describe(err)), None
