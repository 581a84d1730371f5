"""Finds out whether a session may assume the upload role again, and so shed its policy."""

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from credentials.rules.policy import POLICY_VERSION
from credentials.rules.secret import Secret
from credentials.stores.operator import AccessKey, Operator
from credentials.stores.plan import Plan
from credentials.stores.setting import FORBIDDEN, told
from credentials.vending.store_errors import http_status

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

SESSION_SECONDS = 900
# A new key, user or role is not known everywhere at once on AWS (IAM user guide, eventual
# consistency); other stores answer for good at once.
TRIES_ON_AWS, PAUSE_SECONDS = 15, 2.0


class Again(StrEnum):
    """What a store does with a session that assumes the role again."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The answer, and the store's words where it is not known."""

    again: Again
    detail: str = ""


def try_assuming_again(operator: Operator, plan: Plan, vendor_key: AccessKey) -> Trial:
    """Assume the role with a narrow policy as the vendor, then again, without one, from there."""
    try:
        session_key = _patiently_assume(operator.sts_with(vendor_key), plan)
    except (ClientError, BotoCoreError) as err:
        detail = f"The vendor cannot assume the role: {told(err)}"
        return Trial(again=Again.UNKNOWN, detail=detail)
    try:
        _assume(operator.sts_with(session_key), plan)
    except (ClientError, BotoCoreError) as err:
        if isinstance(err, ClientError) and http_status(err) == FORBIDDEN:
            return Trial(again=Again.REFUSED)
        return Trial(again=Again.UNKNOWN, detail=told(err))
    return Trial(again=Again.ACCEPTED)


def _patiently_assume(sts: "STSClient", plan: Plan) -> AccessKey:
    for _ in range(TRIES_ON_AWS - 1 if plan.is_aws else 0):
        try:
            return _assume(sts, plan, Policy=_narrow_policy(plan))
        except ClientError as err:
            if http_status(err) != FORBIDDEN:
                raise
        time.sleep(PAUSE_SECONDS)
    return _assume(sts, plan, Policy=_narrow_policy(plan))


def _assume(sts: "STSClient", plan: Plan, **request: Any) -> AccessKey:
    if plan.external_id:
        request["ExternalId"] = plan.external_id
    credentials = sts.assume_role(
        RoleArn=plan.role_arn,
        RoleSessionName="ltdkeeper-bootstrap",
        DurationSeconds=SESSION_SECONDS,
        **request,
    )["Credentials"]
    return AccessKey(
        access_key_id=credentials["AccessKeyId"],
        secret_access_key=Secret(credentials["SecretAccessKey"]),
        session_token=Secret(credentials["SessionToken"]),
    )


def _narrow_policy(plan: Plan) -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": plan.bucket_arn}
    document = {"Version": POLICY_VERSION, "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))
