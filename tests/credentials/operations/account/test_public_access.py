"""The public access block, also on stores that refuse every upload under a part of it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from credentials.operations.account.bootstrap import settle_public_access
from credentials.operations.account.bucket import ALL_BLOCKED, NEW_ACLS_ALLOWED
from credentials.operations.account.requirements import Status, Step
from credentials.rules.account_documents import WantedAccount
from tests.credentials.operations.account.refusals import failing, refusal

NO_ANSWER = ReadTimeoutError(endpoint_url="http://x")


class FakeS3:
    """Keeps a block; `refuses` says under which block an upload fails, and how."""

    def __init__(self, refuses: Callable[[Any], Exception | None], block: Any = None) -> None:
        self.refuses, self.block = refuses, block

    @property
    def s3(self) -> Any:
        return self

    def ask(self, *_call: str, **_request: Any) -> Any:
        return self.block and {"PublicAccessBlockConfiguration": self.block}

    def put_public_access_block(self, **request: Any) -> None:
        self.block = request["PublicAccessBlockConfiguration"]

    def put_object(self, **_request: Any) -> None:
        if error := self.refuses(self.block):
            raise error

    def delete_object(self, **_request: Any) -> None:
        pass


def never(_block: Any) -> None:
    return None


def always(_block: Any) -> Exception:
    return refusal(403)


def under_block(block: Any) -> Exception | None:
    """As Ceph 16 does."""
    return refusal(403) if block["BlockPublicAcls"] else None


@pytest.fixture
def elsewhere(make_wanted: Callable[..., WantedAccount]) -> WantedAccount:
    return make_wanted(endpoint_url="http://127.0.0.1:1")


def settled(s3: FakeS3, wanted: WantedAccount, *, apply: bool = True) -> Step:
    return settle_public_access(s3, wanted, apply=apply)  # type: ignore[arg-type]


def test_all_is_blocked_where_uploads_still_work(elsewhere: WantedAccount) -> None:
    s3 = FakeS3(never)
    assert (settled(s3, elsewhere).status, s3.block) == (Status.MADE, ALL_BLOCKED)


def test_probe_that_cannot_be_removed_loosens_nothing(
    elsewhere: WantedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeS3, "delete_object", failing(refusal(403)))
    s3 = FakeS3(never)
    step = settled(s3, elsewhere)
    assert (step.status, step.detail, s3.block) == (Status.MADE, "", ALL_BLOCKED)


@pytest.mark.parametrize("before", [None, ALL_BLOCKED])
def test_part_that_refuses_every_upload_is_left_off(before: Any, elsewhere: WantedAccount) -> None:
    s3 = FakeS3(under_block, before)
    step = settled(s3, elsewhere)
    assert (step.status, s3.block) == (Status.NOT_SUPPORTED, NEW_ACLS_ALLOWED)
    assert "BlockPublicAcls" in step.detail


def test_second_run_leaves_it_off(elsewhere: WantedAccount) -> None:
    s3 = FakeS3(under_block, NEW_ACLS_ALLOWED)
    assert settled(s3, elsewhere).status is Status.NOT_SUPPORTED
    assert s3.block == NEW_ACLS_ALLOWED


@pytest.mark.parametrize(
    "refuses", [always, lambda _block: NO_ANSWER], ids=["refused", "no answer"]
)
def test_block_stays_whole_when_it_is_not_the_reason(
    refuses: Any, elsewhere: WantedAccount
) -> None:
    s3 = FakeS3(refuses)
    settled(s3, elsewhere)
    assert s3.block == ALL_BLOCKED


def test_aws_is_not_tried_and_nothing_is_tolerated_there(wanted: WantedAccount) -> None:
    s3 = FakeS3(always, NEW_ACLS_ALLOWED)
    assert (settled(s3, wanted).status, s3.block) == (Status.CHANGED, ALL_BLOCKED)


def test_looking_tries_nothing(elsewhere: WantedAccount) -> None:
    s3 = FakeS3(always)
    assert settled(s3, elsewhere, apply=False).status is Status.WOULD_MAKE
    assert s3.block is None
