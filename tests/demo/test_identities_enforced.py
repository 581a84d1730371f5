"""The identities, applied to the embedded store, do what their documents say."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from credentials.stores.operator import AccessKey
from demo.identities import BUCKET, OTHER_BUCKET, OTHER_OBJECT, ROLE_ARN, Identities
from demo.store import EmbeddedStore

pytestmark = pytest.mark.loopback
PAGE = "guide/builds/one/index.html"
OBJECT_WRITER: Any = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'


def client(store: EmbeddedStore, service: Any, key: AccessKey) -> Any:
    return store.client(
        service,
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key.reveal(),
    )


@pytest.fixture(scope="module")
def role(embedded_store: EmbeddedStore, identities: Identities) -> Any:
    """S3 with the whole upload role: a session without a policy, which the service never makes.

    The bucket takes ACLs, so that nothing but the role's own policy refuses them.
    """
    admin = embedded_store.admin_client("s3")
    admin.delete_public_access_block(Bucket=BUCKET)
    admin.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=OBJECT_WRITER)
    sts = client(embedded_store, "sts", identities.vendor)
    made = sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="whole-role")["Credentials"]
    s3 = embedded_store.client(
        "s3",
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
    )
    s3.put_object(Bucket=BUCKET, Key=PAGE, Body=b"page")
    return s3


def is_refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "AccessDenied")
    return False


REFUSED_TO_ROLE: dict[str, Callable[[Any], Any]] = {
    "outside of builds": lambda s3: s3.put_object(Bucket=BUCKET, Key="guide/index.html"),
    "no product": lambda s3: s3.put_object(Bucket=BUCKET, Key="builds/one"),
    "another bucket": lambda s3: s3.get_object(Bucket=OTHER_BUCKET, Key=OTHER_OBJECT),
    "whole listing": lambda s3: s3.list_objects_v2(Bucket=BUCKET),
    "listing of a product": lambda s3: s3.list_objects_v2(Bucket=BUCKET, Prefix="guide/"),
    "all buckets": lambda s3: s3.list_buckets(),
    "public": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, ACL="public-read"),
    "public to write": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, ACL="public-read-write"),
    "to any account": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, ACL="authenticated-read"),
    "to EC2": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, ACL="aws-exec-read"),
    "granted": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, GrantRead=EVERYBODY),
    "multipart, public": lambda s3: s3.create_multipart_upload(
        Bucket=BUCKET, Key=PAGE, ACL="public-read"
    ),
    "ACL by call": lambda s3: s3.put_object_acl(Bucket=BUCKET, Key=PAGE, ACL="private"),
    "bucket policy": lambda s3: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
}


@pytest.mark.parametrize("call", REFUSED_TO_ROLE.values(), ids=REFUSED_TO_ROLE.keys())
def test_upload_role_is_refused(role: Any, call: Callable[[Any], Any]) -> None:
    assert is_refused(lambda: call(role))


ALLOWED_TO_ROLE: dict[str, Callable[[Any], Any]] = {
    "put": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, Body=b"page"),
    "put as private": lambda s3: s3.put_object(Bucket=BUCKET, Key=PAGE, ACL="private"),
    "get": lambda s3: s3.get_object(Bucket=BUCKET, Key=PAGE)["Body"].read(),
    "list builds": lambda s3: s3.list_objects_v2(Bucket=BUCKET, Prefix="guide/builds/one"),
    "location": lambda s3: s3.get_bucket_location(Bucket=BUCKET),
    "delete": lambda s3: s3.delete_object(Bucket=BUCKET, Key="guide/builds/two/index.html"),
}


@pytest.mark.parametrize("call", ALLOWED_TO_ROLE.values(), ids=ALLOWED_TO_ROLE.keys())
def test_upload_role_may(role: Any, call: Callable[[Any], Any]) -> None:
    call(role)


def test_boundary_holds_what_is_added_to_the_role(embedded_store: EmbeddedStore, role: Any) -> None:
    iam = embedded_store.admin_client("iam")
    name = ROLE_ARN.rpartition("/")[2]
    everything = '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.put_role_policy(RoleName=name, PolicyName="wide", PolicyDocument=everything)
    try:
        assert is_refused(lambda: role.get_object(Bucket=OTHER_BUCKET, Key=OTHER_OBJECT))
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="wide")


def test_vendor_reaches_no_object(embedded_store: EmbeddedStore, identities: Identities) -> None:
    s3 = client(embedded_store, "s3", identities.vendor)
    assert is_refused(lambda: s3.get_object(Bucket=OTHER_BUCKET, Key=OTHER_OBJECT))


def test_reader_only_reads(embedded_store: EmbeddedStore, identities: Identities) -> None:
    s3 = client(embedded_store, "s3", identities.reader)
    s3.list_objects_v2(Bucket=BUCKET)
    assert is_refused(lambda: s3.put_object(Bucket=BUCKET, Key=PAGE))
    assert is_refused(lambda: s3.get_object(Bucket=OTHER_BUCKET, Key=OTHER_OBJECT))


def test_reader_may_not_assume_the_role(
    embedded_store: EmbeddedStore, identities: Identities
) -> None:
    sts = client(embedded_store, "sts", identities.reader)
    assert is_refused(lambda: sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="again"))


def test_key_with_two_slashes_is_authorized_as_it_is_stored(
    embedded_store: EmbeddedStore, identities: Identities
) -> None:
    sts = client(embedded_store, "sts", identities.vendor)
    one = f"arn:aws:s3:::{BUCKET}/guide/builds/one/*"
    policy = f'{{"Statement":[{{"Effect":"Allow","Action":"s3:PutObject","Resource":"{one}"}}]}}'
    made = sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="one", Policy=policy)["Credentials"]
    s3 = embedded_store.client(
        "s3",
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
    )
    s3.put_object(Bucket=BUCKET, Key="guide/builds/one//index.html")
    assert is_refused(lambda: s3.put_object(Bucket=BUCKET, Key="guide//builds/one/index.html"))
