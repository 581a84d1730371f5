"""Auditor and revoker: what the jobs of the clock may, and what not."""

from collections.abc import Callable
from typing import Any

from credentials.vending.store_clients import AccessKey
from tests.store.answers import ACCEPTED, REFUSED, answer_to, answers_to
from tests.store.calls import EVERYBODY
from tests.store.differences import Expectations
from tests.store.documents import EVERYTHING
from tests.store.places import ORIGINAL, body_of
from tests.store.stage import Account
from tests.store.test_identities import whole_role_of
from tests.store.under_test import StoreUnderTest
from tests.store.users import user_key

Calls = dict[str, Callable[[], Any]]


def test_auditor_may_look(
    account: Account, store: StoreUnderTest, page: dict[str, str], auditor: AccessKey
) -> None:
    s3, iam = store.client("s3", auditor), store.client("iam", auditor)
    bucket, role = account.bucket, account.plan.role_name
    looks: Calls = {
        "list": lambda: s3.list_objects_v2(Bucket=bucket),
        "list versions": lambda: s3.list_object_versions(Bucket=bucket),
        "list uploads": lambda: s3.list_multipart_uploads(Bucket=bucket),
        "read": lambda: s3.get_object(**page),
        "block": lambda: s3.get_public_access_block(Bucket=bucket),
        "life cycle": lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket),
        "location": lambda: s3.get_bucket_location(Bucket=bucket),
        "role": lambda: iam.get_role(RoleName=role),
        "role policy": lambda: iam.get_role_policy(RoleName=role, PolicyName=role),
    }
    assert answers_to(looks) == dict.fromkeys(looks, ACCEPTED)


def test_auditor_may_change_nothing(
    account: Account, store: StoreUnderTest, page: dict[str, str], auditor: AccessKey
) -> None:
    s3, iam = store.client("s3", auditor), store.client("iam", auditor)
    sts, role = store.client("sts", auditor), account.plan.role_name
    changes: Calls = {
        "put": lambda: s3.put_object(**page, Body=b"intruder"),
        "delete": lambda: s3.delete_object(**page),
        "unblock": lambda: s3.delete_public_access_block(Bucket=account.bucket),
        "read elsewhere": lambda: s3.list_objects_v2(Bucket=account.elsewhere),
        "widen": lambda: iam.put_role_policy(
            RoleName=role, PolicyName="more", PolicyDocument=EVERYTHING
        ),
        "assume": lambda: sts.assume_role(RoleArn=account.row.role_arn, RoleSessionName="more"),
    }
    assert answers_to(changes) == dict.fromkeys(changes, REFUSED)
    assert body_of(account.admin, page["Bucket"], page["Key"]) == ORIGINAL


def test_revoker_writes_policies_while_the_role_is_bounded(
    spare: Account, store: StoreUnderTest, expect: Expectations
) -> None:
    iam = store.client("iam", user_key(spare, "revoker"))
    role = spare.plan.role_name

    def write() -> object:
        return iam.put_role_policy(RoleName=role, PolicyName="revoked", PolicyDocument=EVERYTHING)

    assert answer_to(write) == expect.of("revoker, role with boundary", ACCEPTED)
    answer_to(lambda: spare.iam.delete_role_permissions_boundary(RoleName=role))
    assert answer_to(write) == REFUSED


def take_acls(account: Account) -> None:
    """As far as the store knows another way: so that nothing but policies refuses them."""
    bucket = {"Bucket": account.bucket}
    rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    account.admin.delete_public_access_block(**bucket)
    answer_to(
        lambda: account.admin.put_bucket_ownership_controls(**bucket, OwnershipControls=rules)
    )


def test_boundary_holds_whatever_is_written_in_the_place_of_the_role_s_policy(
    spare: Account, expect: Expectations
) -> None:
    """Its denials too: the revoker may replace the policy that has them."""
    role = spare.plan.role_name
    spare.iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=EVERYTHING)
    take_acls(spare)
    s3 = whole_role_of(spare)
    inside = {"Bucket": spare.bucket, "Key": "bounded/builds/1/page"}
    assert answer_to(lambda: s3.put_object(**inside, Body=ORIGINAL)) == ACCEPTED
    assert body_of(spare.admin, inside["Bucket"], inside["Key"]) == ORIGINAL
    calls: Calls = {
        "top": lambda: s3.put_object(Bucket=spare.bucket, Key="index.html"),
        "public": lambda: s3.put_object(**inside, ACL="public-read"),
        "grant": lambda: s3.put_object(**inside, GrantRead=EVERYBODY),
        "make public": lambda: s3.put_object_acl(**inside, ACL="public-read"),
        "list": lambda: s3.list_objects_v2(Bucket=spare.bucket),
    }
    expected = {name: expect.of(f"{name}, bounded role", REFUSED) for name in calls}
    assert answers_to(calls) == expected
