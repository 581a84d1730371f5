"""Keys of kept sessions, for tests."""

from typing import Any

from credentials.vending.memory import SessionKey

KEY = SessionKey(
    build_id=1,
    delivery="container",
    policy='{"Version": "2012-10-17"}',
    seconds=1800,
    role_arn="arn:aws:iam::123456789012:role/upload",
    region="us-east-1",
    endpoint_url="",
    client_id=1,
    api_key_id=1,
    job_token_id=None,
)
OTHER: dict[str, Any] = {
    "build_id": 2,
    "delivery": "process",
    "policy": "{}",
    "seconds": 3600,
    "role_arn": "arn:aws:iam::123456789012:role/other",
    "region": "eu-central-1",
    "endpoint_url": "http://ceph.internal:7480",
    "client_id": 2,
    "api_key_id": 2,
    "job_token_id": 7,
    "signer_key_id": "AKIASIGNER",
}
