"""Every operation of S3 that the SDK knows is among the calls, or is named here with a reason."""

from typing import Any

import boto3
import pytest

from tests.store import bucket_calls
from tests.store.calls import EVERY_CALL, SELECT, Hand
from tests.store.places import Place

# Made by tests of their own, since they are about no bucket or are allowed.
BESIDES = {"list_buckets", "create_bucket", "get_bucket_location"}
NOT_MADE = {
    "create_session": "directory buckets (S3 Express) only",
    "list_directory_buckets": "directory buckets (S3 Express) only",
    "rename_object": "directory buckets (S3 Express) only",
    "write_get_object_response": "sent to S3 Object Lambda, about no bucket",
}


class Recorder:
    """In the place of an S3 client: notes which of its methods are called."""

    def __init__(self) -> None:
        self.called: set[str] = set()

    def __getattr__(self, method: str) -> Any:
        def call(**_arguments: Any) -> dict[str, str]:
            self.called.add(method)
            return {"UploadId": "x"}

        return call


@pytest.fixture
def made() -> set[str]:
    """What the tables call."""
    s3 = Recorder()
    hand = Hand(s3=s3, bucket="b", root="a/builds/1")
    place = Place(bucket="b", key="k", upload_id="x", part_etag="x")
    for call in (EVERY_CALL | SELECT).values():
        call(hand, place)
    for about_bucket in bucket_calls.CALLS.values():
        about_bucket(s3, "b")
    return s3.called


def test_every_operation_is_called_or_named(made: set[str]) -> None:
    operations = set(boto3.client("s3", region_name="us-east-1").meta.method_to_api_mapping)
    assert operations - made - BESIDES == NOT_MADE.keys()
