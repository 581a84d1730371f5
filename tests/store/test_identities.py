"""Vendor and upload role: what they may without a session's policy, which is little."""

from collections.abc import Callable
from typing import Any

from tests.store.answers import ACCEPTED, REFUSED, answer_to, answers_to
from tests.store.calls import EVERYBODY
from tests.store.documents import EVERYTHING
from tests.store.places import ORIGINAL, body_of
from tests.store.stage import Account
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import key_in

Calls = dict[str, Callable[[], Any]]


def whole_role_of(account: Account) -> Any:
    """S3 with the upload role as it is, not narrowed by a session's policy."""
    store = account.store
    credentials = store.client("sts", account.vendor).assume_role(
        RoleArn=account.row.role_arn, RoleSessionName="whole", DurationSeconds=900
    )["Credentials"]
    return store.client("s3", key_in(credentials))


def test_vendor_has_no_right_but_to_assume(
    account: Account, store: StoreUnderTest, page: dict[str, str]
) -> None:
    s3, iam = store.client("s3", account.vendor), store.client("iam", account.vendor)
    role = account.plan.role_name
    calls: Calls = {
        "put": lambda: s3.put_object(**page, Body=b"intruder"),
        "get": lambda: s3.get_object(**page),
        "delete": lambda: s3.delete_object(**page),
        "list": lambda: s3.list_objects_v2(Bucket=account.bucket),
        "make a bucket": lambda: s3.create_bucket(Bucket=f"{account.bucket}-vendor"),
        "read the role": lambda: iam.get_role(RoleName=role),
        "widen the role": lambda: iam.put_role_policy(
            RoleName=role, PolicyName="more", PolicyDocument=EVERYTHING
        ),
    }
    assert set(answers_to(calls).values()) == {REFUSED}
    assert body_of(account.admin, page["Bucket"], page["Key"]) == ORIGINAL


def test_whole_role_reaches_builds_only(account: Account) -> None:
    whole_role = whole_role_of(account)
    inside = {"Bucket": account.bucket, "Key": "identities/builds/2/page"}
    assert answer_to(lambda: whole_role.put_object(**inside, Body=ORIGINAL)) == ACCEPTED
    assert body_of(account.admin, inside["Bucket"], inside["Key"]) == ORIGINAL
    calls: Calls = {
        "top": lambda: whole_role.put_object(Bucket=account.bucket, Key="index.html"),
        "edition": lambda: whole_role.put_object(Bucket=account.bucket, Key="handbook/v/main/x"),
        "public": lambda: whole_role.put_object(**inside, ACL="public-read"),
        "grant": lambda: whole_role.put_object(**inside, GrantRead=EVERYBODY),
        "make public": lambda: whole_role.put_object_acl(**inside, ACL="public-read"),
        "list": lambda: whole_role.list_objects_v2(Bucket=account.bucket),
        "elsewhere": lambda: whole_role.put_object(Bucket=account.elsewhere, Key="a/builds/1/x"),
        "policy": lambda: whole_role.delete_bucket_policy(Bucket=account.bucket),
    }
    assert set(answers_to(calls).values()) == {REFUSED}
