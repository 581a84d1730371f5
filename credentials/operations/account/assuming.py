"""Tests whether a session can assume the upload role again, and so lose its policy."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from credentials.operations.account import identities
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import FORBIDDEN, describe
from credentials.operations.account.requirements import Status, Step, is_settled, settle
from credentials.rules.account_documents import WantedAccount
from credentials.rules.policy import POLICY_VERSION
from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from credentials.vending.store_errors import CALL_FAILED, http_status

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

SESSION_SECONDS = 900
# A new key, user or role is not known everywhere at once on AWS (IAM user guide, eventual
# consistency); other stores respond with their final answer at once.
TRIES_ON_AWS, PAUSE_SECONDS = 15, 2.0
SHEDS_ITS_POLICY = (
    "This store lets a session assume the role again, without its policy; the trust policy now "
    "refuses callers that are sessions."
)
UNTRIED = "Give --vendor-profile, so that this can be tested."


class Again(StrEnum):
    """What a store does with a session that assumes the role again."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The response, and the store's words where it is not known."""

    again: Again
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What became of the role and its trust policy, and whether that refuses sessions."""

    steps: list[Step]
    refuses_sessions: bool


def settle_trust(
    clients: StoreClients, account: WantedAccount, *, vendor_key: AccessKey | None, apply: bool
) -> Trust:
    """Make the role trust exactly the vendor; refuse sessions where trying shows the need.

    A trust policy that refuses sessions already stays: an earlier run found it necessary.
    """
    role = settle(identities.role(clients, account), apply=apply)
    if role.status in {Status.FAILED, Status.NOT_SUPPORTED}:
        return Trust(steps=[role], refuses_sessions=False)
    strict = identities.trust(clients, account, refuse_sessions=True)
    is_strict = account.may_refuse_sessions and is_settled(strict)
    trust = settle(identities.trust(clients, account, refuse_sessions=is_strict), apply=apply)
    steps = [role, trust]
    again = _again(Status.NOT_TRIED, "--apply tests this.")
    if apply:
        with _some_key(clients, account, vendor_key, steps) as key:
            again, is_strict = _settle_again(clients, account, key, is_strict=is_strict)
    return Trust(steps=[*steps, again], refuses_sessions=is_strict)


def _settle_again(
    clients: StoreClients, account: WantedAccount, key: AccessKey | None, *, is_strict: bool
) -> tuple[Step, bool]:
    """The step, and whether the trust policy refuses sessions now."""
    trial = _try(clients, account, key)
    if trial.again is Again.ACCEPTED and account.may_refuse_sessions and not is_strict:
        settle(identities.trust(clients, account, refuse_sessions=True), apply=True)
        after = _try(clients, account, key)
        if after.again is Again.REFUSED:
            return _again(Status.CHANGED, SHEDS_ITS_POLICY), True
        return _again(Status.FAILED, f"Refusing sessions did not help. {after.detail}"), True
    if trial.again is Again.REFUSED:
        return _again(Status.CONFIRMED), is_strict
    if trial.again is Again.ACCEPTED:
        return _again(Status.FAILED, "Any session can get all rights of the role."), is_strict
    if key is None and (account.is_aws or is_strict):
        return _again(Status.NOT_TRIED, UNTRIED), is_strict
    return _again(Status.FAILED, trial.detail), is_strict


def _again(status: Status, detail: str = "") -> Step:
    return Step(
        what="sessions cannot assume the role again",
        why="Such a session would lose its policy and have all rights of the role.",
        status=status,
        detail=detail,
    )


@contextmanager
def _some_key(
    clients: StoreClients,
    account: WantedAccount,
    vendor_key: AccessKey | None,
    steps: list[Step],
) -> Iterator[AccessKey | None]:
    """The vendor's key, or one that is made for the trial and removed after it; where it cannot be
    removed, that is a step.

    On AWS none is made: how it decides is documented, and new keys take long to be known.
    """
    if vendor_key or account.is_aws or not account.makes_vendor:
        yield vendor_key
        return
    user = account.user_name("vendor")
    try:
        key = new_key(clients, user)
    except CALL_FAILED:  # it has all the keys that it may have
        yield None
        return
    try:
        yield key
    finally:
        steps += _remove_key(clients, user, key.access_key_id)


def _remove_key(clients: StoreClients, user: str, key_id: str) -> list[Step]:
    try:
        clients.iam.delete_access_key(UserName=user, AccessKeyId=key_id)
    except CALL_FAILED as err:
        what, why = f"access key {key_id} of {user}", "It was made for a trial. Remove it."
        return [Step(what=what, why=why, status=Status.FAILED, detail=describe(err))]
    return []


def new_key(clients: StoreClients, user: str) -> AccessKey:
    made = clients.iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(
        access_key_id=made["AccessKeyId"], secret_access_key=Secret(made["SecretAccessKey"])
    )


def _try(clients: StoreClients, account: WantedAccount, key: AccessKey | None) -> Trial:
    if key is None:
        return Trial(again=Again.UNKNOWN, detail=UNTRIED)
    return try_assuming_again(clients, account, key)


def try_assuming_again(
    clients: StoreClients, account: WantedAccount, vendor_key: AccessKey
) -> Trial:
    """Assume the role with a narrow policy as the vendor, then again, without one, from there."""
    try:
        session_key = _patiently_assume(clients.sts_with(vendor_key), account)
    except CALL_FAILED as err:
        detail = f"The vendor cannot assume the role: {describe(err)}"
        return Trial(again=Again.UNKNOWN, detail=detail)
    try:
        _assume(clients.sts_with(session_key), account)
    except CALL_FAILED as err:
        if isinstance(err, ClientError) and http_status(err) == FORBIDDEN:
            return Trial(again=Again.REFUSED)
        return Trial(again=Again.UNKNOWN, detail=describe(err))
    return Trial(again=Again.ACCEPTED)


def _patiently_assume(sts: "STSClient", account: WantedAccount) -> AccessKey:
    for _ in range(TRIES_ON_AWS - 1 if account.is_aws else 0):
        try:
            return _assume(sts, account, Policy=_narrow_policy(account))
        except ClientError as err:
            if http_status(err) != FORBIDDEN:
                raise
        time.sleep(PAUSE_SECONDS)
    return _assume(sts, account, Policy=_narrow_policy(account))


def _assume(sts: "STSClient", account: WantedAccount, **request: Any) -> AccessKey:
    if account.external_id:
        request["ExternalId"] = account.external_id
    credentials = sts.assume_role(
        RoleArn=account.role_arn,
        RoleSessionName="ltdkeeper-bootstrap",
        DurationSeconds=SESSION_SECONDS,
        **request,
    )["Credentials"]
    return AccessKey(
        access_key_id=credentials["AccessKeyId"],
        secret_access_key=Secret(credentials["SecretAccessKey"]),
        session_token=Secret(credentials["SessionToken"]),
    )


def _narrow_policy(account: WantedAccount) -> str:
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetBucketLocation",
        "Resource": account.bucket_arn,
    }
    document = {"Version": POLICY_VERSION, "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))
