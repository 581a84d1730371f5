"""The embedded store knows its own keys only, and authorizes each object key as it is stored."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from botocore.exceptions import ClientError

from demo.processes import DemoError
from demo.store import EmbeddedStore, Key, administrator_policy, new_user, reader_policy
from tests.demo.processes import arguments

BUCKET, PAGE = "attacked", "page.html"


@pytest.fixture(scope="module")
def victim(embedded_store: EmbeddedStore) -> Key:
    """A user that may do everything, and a bucket to do it in."""
    embedded_store.admin_client("s3").create_bucket(Bucket=BUCKET)
    return new_user(embedded_store, "victim", policy=administrator_policy())


@pytest.fixture(scope="module")
def reader(embedded_store: EmbeddedStore, victim: Key) -> Any:
    key = new_user(embedded_store, "reader", policy=reader_policy(bucket=BUCKET))
    client = embedded_store.client("s3", **asdict(victim))
    client.put_object(Bucket=BUCKET, Key=PAGE, Body=b"page")
    return embedded_store.client("s3", **asdict(key))


def is_refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 403)
    return False


@pytest.mark.parametrize("key_id", ["test", "000000000000"])
@pytest.mark.parametrize(
    ("service", "operation"),
    [("s3", "list_buckets"), ("sts", "get_session_token"), ("iam", "list_users")],
)
def test_key_that_was_not_made_here_is_nobodys(
    embedded_store: EmbeddedStore, key_id: str, service: Any, operation: str
) -> None:
    client = embedded_store.client(service, access_key_id=key_id, secret_access_key="test")
    assert is_refused(getattr(client, operation))


def test_users_key_needs_its_secret(embedded_store: EmbeddedStore, victim: Key) -> None:
    found = embedded_store.client("s3", **asdict(victim)).list_buckets()["Buckets"]
    assert BUCKET in {bucket["Name"] for bucket in found}
    key = {"access_key_id": victim.access_key_id, "secret_access_key": "wrong"}
    assert is_refused(embedded_store.client("s3", **key).list_buckets)


def send(url: str, method: str, path: str, **request: Any) -> int:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url + path, timeout=120, **request).status_code


WITHOUT_A_KEY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nothing": ("GET", "/", {}),
    "key in the query": ("GET", "/?X-Amz-Credential=test/x", {}),
    "object": ("PUT", f"/{BUCKET}/{PAGE}", {"data": b"x"}),
    "STS": ("POST", "/", {"data": {"Action": "GetSessionToken", "Version": "2011-06-15"}}),
    "IAM": ("POST", "/", {"data": {"Action": "ListUsers", "Version": "2010-05-08"}}),
    "page of the emulator": ("GET", "/_ministack/health", {}),
    "reset": ("POST", "/_ministack/reset", {}),
    "settings": ("POST", "/_ministack/config", {"json": {}}),
}


@pytest.mark.parametrize(
    ("method", "path", "request_"), WITHOUT_A_KEY.values(), ids=WITHOUT_A_KEY.keys()
)
def test_request_without_a_key_is_refused(
    embedded_store: EmbeddedStore, victim: Key, method: str, path: str, request_: dict[str, Any]
) -> None:
    assert send(embedded_store.endpoint_url, method, path, **request_) in {400, 403}


def form_of(store: EmbeddedStore, key: Key) -> dict[str, str]:
    fields: dict[str, str] = store.client("s3", **asdict(key)).generate_presigned_post(
        BUCKET, "posted"
    )["fields"]
    return fields


def test_form_needs_its_signers_secret(embedded_store: EmbeddedStore, victim: Key) -> None:
    keys = [victim, Key(victim.access_key_id, "wrong"), Key("test", "test")]
    forms = [*(form_of(embedded_store, key) for key in keys), {"key": "posted"}]
    file = {"file": b"<p>"}
    url = embedded_store.endpoint_url
    answers = [send(url, "POST", f"/{BUCKET}", data=form, files=file) for form in forms]
    assert answers == [204, 403, 403, 403]


OTHER_OPERATIONS: dict[str, tuple[str, str, dict[str, str]]] = {
    "delete several": ("POST", f"/{BUCKET}?delete", {}),
    "put": ("PUT", f"/{BUCKET}/{PAGE}", {}),
    "make a bucket": ("PUT", "/another", {}),
    "of an object": ("POST", f"/{BUCKET}/{PAGE}?uploads", {}),
    "IAM by its host": ("POST", f"/{BUCKET}", {"Host": "iam.localhost"}),
    "STS by its root": ("POST", "/", {}),
    "with a header of AWS": ("POST", f"/{BUCKET}", {"X-Amz-Target": "x.ListUsers"}),
}


@pytest.mark.parametrize(
    ("method", "path", "headers"), OTHER_OPERATIONS.values(), ids=OTHER_OPERATIONS.keys()
)
def test_form_is_no_other_operation(
    embedded_store: EmbeddedStore, victim: Key, method: str, path: str, headers: dict[str, str]
) -> None:
    form = {"data": {"Action": urlencode({"Action": "ListUsers"})}, "files": {"file": b"x"}}
    assert send(embedded_store.endpoint_url, method, path, headers=headers, **form) == 403


def test_reader_only_reads(reader: Any) -> None:
    assert reader.get_object(Bucket=BUCKET, Key=PAGE)["Body"].read() == b"page"
    assert reader.list_objects_v2(Bucket=BUCKET)["KeyCount"]
    assert is_refused(lambda: reader.put_object(Bucket=BUCKET, Key=PAGE))
    assert is_refused(reader.list_buckets)


def test_key_with_two_slashes_is_authorized_as_it_is_stored(
    embedded_store: EmbeddedStore, victim: Key
) -> None:
    policy = reader_policy(bucket=f"{BUCKET}/guide/builds/one").replace("Get", "Put")
    key = new_user(embedded_store, "writer", policy=policy)
    s3 = embedded_store.client("s3", **asdict(key))
    s3.put_object(Bucket=BUCKET, Key="guide/builds/one//index.html")
    assert is_refused(lambda: s3.put_object(Bucket=BUCKET, Key="guide//builds/one/index.html"))


def test_taken_port_is_reported(embedded_store: EmbeddedStore, tmp_path: Path) -> None:
    port = int(embedded_store.endpoint_url.rpartition(":")[2])
    log = tmp_path / "store.log"
    with pytest.raises(DemoError, match="did not start"), EmbeddedStore(log=log, port=port):
        pass
    assert "Address already in use" in log.read_text()


def test_root_key_is_in_no_argument(embedded_store: EmbeddedStore) -> None:
    shown, root = arguments(), embedded_store._root
    assert root.access_key_id.encode() not in shown
    assert root.secret_access_key.encode() not in shown
