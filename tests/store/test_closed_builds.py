"""Counting and purging on a store that enforces: all of a build, and nothing but that build."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.service import Service
from tests.store.conftest import PRODUCT, uploader_of
from tests.store.stage import prepared_account, service_for
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import RegisteredBuild, Uploader
from tests.store.users import auditor_environment, user_key

BODY = b"<p>Page.</p>"
# More than one page of a listing.
MANY = 1003


def keys_in(admin: Any, bucket: str, prefix: str) -> list[str]:
    pages = admin.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


@pytest.fixture
def filled(uploader: Uploader, admin: Any) -> RegisteredBuild:
    """A build with more than a page of objects, and one at its very root."""
    build = uploader.register(PRODUCT)
    for number in range(MANY):
        admin.put_object(Bucket=build.bucket, Key=f"{build.root}/{number:04}", Body=BODY)
    admin.put_object(Bucket=build.bucket, Key=build.root, Body=b"")
    return build


def test_all_objects_of_a_finished_build_are_counted(
    filled: RegisteredBuild, uploader: Uploader, service: Service
) -> None:
    uploader.finish(filled)
    told = json.loads(service.manage("count_builds", "--format", "json"))
    [mine] = [each for each in told["builds"] if each["root"] == filled.root]
    assert (mine["objects"], mine["bytes"], mine["failure"]) == (MANY, MANY * len(BODY), "")
    document = uploader.call("GET", filled.url).json()
    assert (document["object_count"], document["byte_count"]) == (MANY, MANY * len(BODY))
    assert document["newest_object_at"] is not None


def test_purge_removes_one_build_and_touches_nothing_else(
    filled: RegisteredBuild, uploader: Uploader, service: Service, admin: Any
) -> None:
    chosen = uploader.register(PRODUCT, f"{filled.slug[:20]}-neighbour")
    near = [f"{filled.root}0/page", f"{filled.root}-more", f"{chosen.root}/page", f"x{filled.root}"]
    for key in near:
        admin.put_object(Bucket=filled.bucket, Key=key, Body=BODY)
    before = set(keys_in(admin, filled.bucket, ""))
    uploader.call("DELETE", filled.url)
    service.manage("purge_builds", "--deleted-before", "0")
    assert set(keys_in(admin, filled.bucket, "")) == before  # a dry run
    told = json.loads(
        service.manage("purge_builds", "--deleted-before", "0", "--apply", "--format", "json")
    )
    [mine] = [each for each in told["builds"] if each["root"] == filled.root]
    assert (mine["objects"], mine["failure"]) == (MANY, "")
    gone = before - set(keys_in(admin, filled.bucket, ""))
    assert gone == {filled.root, *(f"{filled.root}/{number:04}" for number in range(MANY))}


def test_auditor_sees_pages_without_a_type_where_no_session_may_read(
    store: StoreUnderTest, tmp_path: Path
) -> None:
    with prepared_account(store, with_sync=False) as account:
        named = auditor_environment(user_key(account, "auditor"), tmp_path)
        with (
            service_for(account, tmp_path) as service,
            uploader_of(service, account, tmp_path) as uploader,
        ):
            types = {"text/html": "typed", "binary/octet-stream": "untyped"}
            builds = {content_type: uploader.register(PRODUCT) for content_type in types}
            for content_type, build in builds.items():
                where = {"Bucket": build.bucket, "Key": f"{build.root}/index.html"}
                account.admin.put_object(**where, Body=BODY, ContentType=content_type)
                assert "download" not in str(uploader.finish(build)["warning"])
            arguments = ["count_builds", "--format", "json"]
            told = json.loads(service.manage(*arguments, environment=named))
            by_root = {each["root"]: each["types"] for each in told["builds"]}
            assert by_root == {build.root: types[each] for each, build in builds.items()}
            for content_type, build in builds.items():
                warning = str(uploader.call("GET", build.url).json()["warning"])
                assert ("download" in warning) == (types[content_type] == "untyped")
