"""Session policies that a store may not understand, or that are wrong: they never open anything.

The service makes none of these. They are asked for with the vendor's key, as a mistake in the
service would.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from credentials.vending.store_errors import loggable, typed_error
from tests.store.answers import ACCEPTED, REFUSED, Answer, answer_to
from tests.store.differences import Expectations
from tests.store.places import assert_untouched, prepare
from tests.store.stage import Account
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import key_in


def document(**statement: Any) -> str:
    """A policy of one statement that would allow writing, were it not for what is given."""
    whole = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": ["{object}"]} | statement
    return json.dumps({"Version": "2012-10-17", "Statement": [whole]}, separators=(",", ":"))


# Noticed by STS, or by S3 when the session is used: either way nothing is opened.
CLOSED = {REFUSED, Answer(400, "MalformedPolicyDocument"), Answer(400, "ValidationError")}
# `{object}` and `{bucket}` become the place that the session then tries to write to.
POLICIES: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "not JSON": "{",
    "no statement": '{"Version":"2012-10-17","Statement":[]}',
    "empty object": "{}",
    "another bucket": document(Resource=["arn:aws:s3:::nobodys-bucket/*"]),
    "variable of another user": document(Resource=["{bucket}/${aws:username}/*"]),
    "variable in the key": document(Resource=["{object}${aws:userid}"]),
    "escaped wildcard": document(Resource=["{bucket}/${*}"]),
    "escaped question mark": document(Resource=["{bucket}/${?}"]),
    "escaped wildcard, old version": document(Resource=["{bucket}/${*}"]).replace("2012", "2008"),
    "unknown condition key": document(Condition={"StringEquals": {"s3:no-such-key": "x"}}),
    "unknown operator": document(Condition={"NoSuchOperator": {"s3:prefix": "x"}}),
    "conditions that exclude each other": document(
        Condition={
            "StringEquals": {"aws:SecureTransport": "true"},
            "Null": {"aws:SecureTransport": "true"},
        }
    ),
    "another action": document(Action=["s3:GetBucketLocation"]),
    "action that is none": document(Action=["s3:NoSuchAction"]),
    "deny": document(Effect="Deny"),
    "effect that is none": document(Effect="Perhaps"),
    "resource left out": document().replace(',"Resource":["{object}"]', ""),
    "not this resource": document().replace('"Resource"', '"NotResource"'),
}


def assume(policy: str, account: Account, store: StoreUnderTest) -> Any:
    return store.client("sts", account.vendor).assume_role(
        RoleArn=account.row.role_arn,
        RoleSessionName="mistake",
        DurationSeconds=900,
        Policy=policy,
    )


def key_for(policy: str, account: Account, store: StoreUnderTest) -> AccessKey:
    return key_in(assume(policy, account, store)["Credentials"])


@pytest.mark.parametrize("name", POLICIES)
def test_policy_that_is_not_understood_opens_nothing(
    name: str, account: Account, store: StoreUnderTest, expect: Expectations
) -> None:
    key = f"closed/builds/{name.replace(' ', '-')}/page"
    place = prepare(account.admin, bucket=account.bucket, key=key)
    bucket = f"arn:aws:s3:::{place.bucket}"
    policy = POLICIES[name].replace("{object}", f"{bucket}/{place.key}").replace("{bucket}", bucket)

    def write() -> Any:
        s3 = store.client("s3", key_for(policy, account, store))
        return s3.put_object(**place.where, Body=b"intruder")

    answer = answer_to(write)
    assert answer in expect.of(f"session policy: {name}", CLOSED)
    if answer != ACCEPTED:
        assert_untouched(account.admin, place)


def test_policy_over_the_limit_is_refused(
    account: Account, store: StoreUnderTest, expect: Expectations
) -> None:
    resources = [f"arn:aws:s3:::{account.bucket}/{number:060}" for number in range(30)]
    policy = document(Resource=resources)
    assert len(policy) > 2048
    answer = answer_to(lambda: assume(policy, account, store))
    assert answer == expect.of("session policy: over the limit", Answer(400, "ValidationError"))


def test_wrong_secret_and_missing_role_are_told_apart(
    account: Account, store: StoreUnderTest
) -> None:
    vendor = account.vendor
    wrong_key = AccessKey(access_key_id=vendor.access_key_id, secret_access_key=Secret("w" * 40))
    asked = {
        "wrong secret": (wrong_key, account.row.role_arn),
        "missing role": (vendor, f"{account.row.role_arn}-none"),
    }
    codes, logged = set(), set()
    for key, role_arn in asked.values():
        with pytest.raises(ClientError) as refused:
            store.client("sts", key).assume_role(
                RoleArn=role_arn, RoleSessionName="mistake", DurationSeconds=900, Policy=document()
            )
        codes.add(typed_error(refused.value).code)
        logged.add(loggable(refused.value))
    assert (len(codes), len(logged)) == (2, 2)
    assert "Unknown" not in "".join(logged)
