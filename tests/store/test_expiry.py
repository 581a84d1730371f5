"""A session ends when the service said it would: waited for, not assumed."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.store.answers import ACCEPTED, Answer, answer_to
from tests.store.differences import Expectations
from tests.store.places import body_of
from tests.store.stage import Account, service_for
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import Uploader, key_in

# botocore checks the duration as well, unless told not to.
BELIEVING = "[default]\nparameter_validation = false\n"
PRODUCT = "brief"
MARGIN_SECONDS = 1.2


@pytest.fixture(scope="module")
def brief_uploader(
    account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Uploader]:
    """A client of a service of its own, whose floor is lower."""
    folder: Path = tmp_path_factory.mktemp("brief")
    config = folder / "aws-config"
    config.write_text(BELIEVING)
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.store.short_sessions",
        "AWS_CONFIG_FILE": str(config),
    }
    with service_for(account, folder, **settings) as service:
        api_key = service.new_client("ci")
        service.wait_until_it_answers()
        uploader = Uploader(service.url, api_key=api_key, store=account.row.name)
        uploader.create_product(PRODUCT)
        yield uploader
        uploader.close()


def test_session_is_refused_once_it_has_expired(
    brief_uploader: Uploader, store: StoreUnderTest, admin: Any, expect: Expectations
) -> None:
    build = brief_uploader.register(PRODUCT)
    given = brief_uploader.ask(build, duration_seconds=store.shortest_seconds).json()
    s3 = store.client("s3", key_in(given))
    where = {"Bucket": build.bucket, "Key": f"{build.root}/page"}
    signed = s3.generate_presigned_url("put_object", Params=where, ExpiresIn=3600)
    assert answer_to(lambda: s3.put_object(**where, Body=b"in time")) == ACCEPTED
    time.sleep(max(0.0, remaining_seconds(given["Expiration"])) + MARGIN_SECONDS)
    expired = expect.of("any call, expired", Answer(400, "ExpiredToken"))
    assert answer_to(lambda: s3.put_object(**where, Body=b"too late")) == expired
    assert answer_to(lambda: s3.list_objects_v2(Bucket=build.bucket, Prefix=build.root)) == expired
    assert answer_to_address(signed, b"too late") == expired
    assert body_of(admin, build.bucket, where["Key"]) == b"in time"


def answer_to_address(url: str, body: bytes) -> Answer:
    """An address dies with the credentials that signed it, whatever expiry it carries."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.put(url, data=body, timeout=120)
    code = re.search("<Code>(.*)</Code>", answer.text)
    return Answer(answer.status_code, code.group(1) if code else "")


def remaining_seconds(expiration: str) -> float:
    """As an SDK reads the answer of the service."""
    return datetime.fromisoformat(expiration).timestamp() - time.time()
