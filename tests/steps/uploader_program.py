"""Run by the tests in a process of its own: what boto3 finds in its environment, as JSON.

Arguments: the profiles to look into; none is the environment's own.
"""

import json
import sys

import boto3


def found(profile: str | None) -> dict[str, str]:
    session = boto3.Session(profile_name=profile)
    credentials = session.get_credentials()
    s3 = session.client("s3")
    return {
        "method": credentials.method,
        "access_key_id": credentials.get_frozen_credentials().access_key,
        "region": str(session.region_name),
        "endpoint": s3.meta.endpoint_url,
        "addressing": (s3.meta.config.s3 or {}).get("addressing_style", ""),
    }


print(json.dumps([found(profile) for profile in sys.argv[1:] or [None]]))  # noqa: T201
