"""The embedded store's root hole is closed, and nothing else is."""

import pytest

from demo.store import EmbeddedStore
from tests.demo.attacks import NAMES, attacks
from tests.demo.conftest import AttackedStore
from tests.demo.requests_to_store import (
    BUCKET,
    FORMS,
    KEY,
    SIGNERS,
    action,
    form,
    listing,
    plain,
    sigv4_form,
)

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("name", NAMES)
def test_attack_is_refused(closed_store: AttackedStore, name: str) -> None:
    answer = attacks(closed_store.key_id)[name](closed_store.url)
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)


@pytest.mark.parametrize("name", NAMES)
def test_attack_succeeds_on_the_store_as_installed(
    installed_store: AttackedStore, name: str
) -> None:
    assert attacks(installed_store.key_id)[name](installed_store.url).ok


@pytest.mark.parametrize("way", SIGNERS)
def test_users_key_is_answered_as_by_the_installed_store(
    closed_store: AttackedStore, installed_store: AttackedStore, way: str
) -> None:
    answers = [
        listing(SIGNERS[way], store.key_id, store.secret)(store.url)
        for store in (closed_store, installed_store)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("way", SIGNERS)
def test_users_key_with_a_wrong_secret_is_refused(closed_store: AttackedStore, way: str) -> None:
    assert listing(SIGNERS[way], closed_store.key_id, "wrong")(closed_store.url).status_code == 403


@pytest.mark.parametrize("way", FORMS)
def test_form_needs_its_signers_secret(closed_store: AttackedStore, way: str) -> None:
    secrets = [closed_store.secret, "wrong"]
    forms = [FORMS[way](closed_store.key_id, secret) for secret in secrets]
    assert [send(closed_store.url).status_code for send in forms] == [204, 403]


FORGED_FORMS = {
    "without a key": [("key", "x")],
    "with two keys": [("x-amz-credential", "AKIA0000000000000000"), ("AWSAccessKeyId", "test")],
    "with one key twice": [("AWSAccessKeyId", "AKIA0000000000000000")] * 2,
    "with a key in capitals": [("X-AMZ-CREDENTIAL", "test/x")],
}


@pytest.mark.parametrize("fields", FORGED_FORMS.values(), ids=FORGED_FORMS.keys())
def test_form_names_one_key(closed_store: AttackedStore, fields: list[tuple[str, str]]) -> None:
    assert form(fields)(closed_store.url).status_code == 403


@pytest.mark.parametrize("path", ["/iceberg", "/attacked?delete", "/attacked/page", "/"])
def test_form_reaches_nothing_but_a_bucket(closed_store: AttackedStore, path: str) -> None:
    answer = form([("AWSAccessKeyId", closed_store.key_id)], path=path)(closed_store.url)
    assert (answer.status_code, "Sign the request" in answer.text) == (403, True)


def test_unknown_key_is_nobody(closed_store: AttackedStore) -> None:
    unknown = "AKIA" + "Z" * 16
    asked = [listing(SIGNERS["SigV4 header"], unknown, "any"), sigv4_form(unknown, "any")]
    assert [send(closed_store.url).status_code for send in asked] == [403, 403]


def test_user_signs_for_sts(closed_store: AttackedStore) -> None:
    send = action("sts", "GetCallerIdentity", closed_store.key_id, closed_store.secret)
    assert ":user/victim<" in send(closed_store.url).text


@pytest.fixture
def session(closed_store: AttackedStore, embedded_store: EmbeddedStore) -> dict[str, str]:
    """A session of the user that may do everything."""
    keys = {"access_key_id": closed_store.key_id, "secret_access_key": closed_store.secret}
    made = embedded_store.client("sts", **keys).get_session_token()["Credentials"]
    return {
        "access_key_id": made["AccessKeyId"],
        "secret_access_key": made["SecretAccessKey"],
        "session_token": made["SessionToken"],
    }


def test_session_key_works(embedded_store: EmbeddedStore, session: dict[str, str]) -> None:
    found = embedded_store.client("s3", **session).list_objects_v2(Bucket=BUCKET)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_session_key_presigns(embedded_store: EmbeddedStore, session: dict[str, str]) -> None:
    s3 = embedded_store.client("s3", **session)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": KEY})
    assert plain("PUT", "", body=b"page")(url).status_code == 200


@pytest.mark.parametrize(("change", "status"), [("", 204), ("x", 400)], ids=["right", "wrong"])
def test_session_key_signs_a_form(
    closed_store: AttackedStore, session: dict[str, str], change: str, status: int
) -> None:
    token = session["session_token"] + change
    send = sigv4_form(session["access_key_id"], session["secret_access_key"], token)
    assert send(closed_store.url).status_code == status


def test_session_key_without_its_token_is_refused(
    closed_store: AttackedStore, session: dict[str, str]
) -> None:
    send = listing(SIGNERS["SigV4 header"], session["access_key_id"], session["secret_access_key"])
    assert send(closed_store.url).status_code == 403


def test_bootstrap_secret_opens_the_admin_pages(embedded_store: EmbeddedStore) -> None:
    header = {"X-Demo-Store-Bootstrap": embedded_store._bootstrap}
    assert plain("GET", "/_ministack/health", header)(embedded_store.endpoint_url).ok


def test_refused_head_has_no_body(closed_store: AttackedStore) -> None:
    assert plain("HEAD", "/attacked/page")(closed_store.url).content == b""
