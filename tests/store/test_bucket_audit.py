"""The audit of a bucket on a store that enforces: the auditor's rights are enough, and no more."""

import json
import sys
from pathlib import Path
from typing import Any

from credentials.vending.listing import listed_folders, listed_uploads
from credentials.vending.store_clients import AccessKey
from demo.service import Service
from tests.store.answers import REFUSED, answer_to
from tests.store.conftest import HandOf
from tests.store.stage import Account
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import Uploader
from tests.store.users import auditor_environment

BODY, PRODUCT = b"<p>Page.</p>", "audited"


def test_audit_names_what_no_session_wrote_and_counts_the_rest(
    service: Service,
    uploader: Uploader,
    hand_of: HandOf,
    account: Account,
    auditor: AccessKey,
    tmp_path: Path,
) -> None:
    uploader.create_product(PRODUCT)
    good, foreign, purged = (uploader.register(PRODUCT) for _ in range(3))
    hand_of(good).s3.put_object(Bucket=good.bucket, Key=f"{good.root}/page", Body=BODY)
    uploader.finish(good)
    uploader.call("DELETE", purged.url)
    service.manage("purge_builds", "--deleted-before", "0", "--apply")
    nobody = f"{PRODUCT}/builds/nobody"
    for place in (foreign.root, purged.root, nobody, f"{PRODUCT}/drafts"):
        account.admin.put_object(Bucket=account.bucket, Key=f"{place}/page", Body=BODY)
    command = [sys.executable, "manage.py", "audit_bucket", "--product", PRODUCT]
    environment = auditor_environment(auditor, tmp_path)
    code, output = service._run([*command, "--format", "json"], environment)
    told = json.loads(output)
    assert code == 1
    assert {each["subject"]: each["rule"] for each in told["findings"]} == {
        foreign.root: "object_without_session",
        purged.root: "object_of_purged_build",
        nobody: "object_of_unknown_build",
        f"{PRODUCT}/drafts/": "object_outside_builds",
    }
    [usage] = told["stores"][account.row.name]["usage"]
    assert usage == {"folder": f"{PRODUCT}/", "objects": 5, "bytes": 5 * len(BODY)}


def test_auditor_lists_folders(
    account: Account, store: StoreUnderTest, page: dict[str, str], auditor: AccessKey
) -> None:
    pages = listed_folders(store.client("s3", auditor), bucket=account.bucket)
    folders = [folder for _, page in pages for folder in page]
    assert f"{page['Key'].partition('/')[0]}/" in folders


def test_auditor_lists_unfinished_uploads_and_may_not_abort_them(
    account: Account, store: StoreUnderTest, auditor: AccessKey
) -> None:
    where: dict[str, Any] = {"Bucket": account.bucket, "Key": "unfinished/two words+%2B&.bin"}
    upload = {"UploadId": account.admin.create_multipart_upload(**where)["UploadId"]}
    s3 = store.client("s3", auditor)
    found = listed_uploads(s3, bucket=account.bucket, prefix="unfinished/")
    assert [each["Key"] for each in found] == [where["Key"]]
    assert answer_to(lambda: s3.abort_multipart_upload(**where, **upload)) == REFUSED
    account.admin.abort_multipart_upload(**where, **upload)
