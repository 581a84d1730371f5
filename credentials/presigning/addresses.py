"""Where a store's bucket is reached by those who hold a presigned POST or PUT."""

import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from builds.models import Store

# Only the address is wanted, and botocore makes none without a key to sign with.
NOBODY = "nobody"

_boto_session = boto3.session.Session()
_addresses: "dict[BucketPlace, str]" = {}
_making = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class BucketPlace:
    """What decides a bucket's address."""

    bucket: str
    region: str
    endpoint_url: str
    addressing: str


def bucket_url(store: Store, *, endpoint_url: str) -> str:
    """The address of the store's bucket at an endpoint (empty: AWS), as SDKs have it.

    On AWS, `automatic` is the virtual host in the bucket's own region: botocore's choice for
    presigned requests is the global host, which answers with a redirect for a while after a
    bucket was made, and uploaders do not follow it (botocore, `_should_use_global_endpoint`).
    """
    is_aws, style = not endpoint_url, store.addressing
    place = BucketPlace(
        bucket=store.bucket,
        region=store.region,
        endpoint_url=endpoint_url,
        addressing="virtual" if is_aws and style == Store.Addressing.AUTO else style,
    )
    if (url := _addresses.get(place)) is None:
        with _making:
            url = _addresses[place] = _make(place)
    return url


def _make(place: BucketPlace) -> str:
    config: Any = {"addressing_style": place.addressing}
    client = _boto_session.client(
        "s3",
        region_name=place.region,
        endpoint_url=place.endpoint_url or None,
        aws_access_key_id=NOBODY,
        aws_secret_access_key=NOBODY,
        config=Config(signature_version="s3v4", s3=config),
    )
    return str(client.generate_presigned_post(place.bucket, NOBODY)["url"])
