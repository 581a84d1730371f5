"""Where POSTs and PUTs go: the bucket as SDKs address it, in its own region."""

from builds.models import Store
from credentials.vending.signing import bucket_url

ELSEWHERE = "https://s3.example.org"
PLACES = {
    "AWS": ("", "eu-central-1", "docs", "auto", "https://docs.s3.eu-central-1.amazonaws.com/"),
    "AWS, first region": ("", "us-east-1", "docs", "auto", "https://docs.s3.amazonaws.com/"),
    "AWS, a dot in the bucket": (
        *("", "eu-central-1", "docs.example", "auto"),
        "https://s3.eu-central-1.amazonaws.com/docs.example",
    ),
    "AWS, by path": (
        *("", "eu-central-1", "docs", "path"),
        "https://s3.eu-central-1.amazonaws.com/docs",
    ),
    "China": ("", "cn-north-1", "docs", "auto", "https://docs.s3.cn-north-1.amazonaws.com.cn/"),
    "elsewhere": (ELSEWHERE, "us-east-1", "docs", "auto", "https://s3.example.org/docs"),
    "elsewhere, by host": (ELSEWHERE, "us-east-1", "docs", "virtual", "https://docs.s3.example.org/"),
    "on loopback": (
        *("http://127.0.0.1:9000", "us-east-1", "docs", "auto"),
        "http://127.0.0.1:9000/docs",
    ),
}  # fmt: skip


def test_address_is_the_buckets() -> None:
    for case, (endpoint_url, region, bucket, addressing, expected) in PLACES.items():
        store = Store(bucket=bucket, region=region, addressing=addressing)
        for _ in range(2):
            assert bucket_url(store, endpoint_url=endpoint_url) == expected, case
