"""A store that runs already, described by variables; README.md beside this file lists them."""

import os

from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey
from demo.store import REGION
from tests.store.under_test import StoreUnderTest, User

VARIABLE = "LTD_TEST_STORE"


def named_store() -> StoreUnderTest:
    """The store of the `LTD_TEST_STORE_...` variables."""
    vendor_arn = _read("VENDOR_ARN")
    spare = _read("SPARE_USER")
    return StoreUnderTest(
        kind=_read("KIND"),
        version=_read("VERSION"),
        endpoint_url=_read("ENDPOINT_URL"),
        region=_read("REGION", REGION),
        account=_read("ACCOUNT"),
        operator=_key(""),
        shortest_seconds=int(_read("SHORTEST_SECONDS", "900")),
        vendor=_key("VENDOR_") if vendor_arn else None,
        vendor_arn=vendor_arn,
        make_user=(lambda _name: User(name=spare, key=_key("SPARE_"))) if spare else None,
    )


def _read(name: str, default: str = "") -> str:
    return os.environ.get(f"{VARIABLE}_{name}", default)


def _key(whose: str) -> AccessKey:
    token = _read(f"{whose}SESSION_TOKEN")
    return AccessKey(
        access_key_id=_read(f"{whose}ACCESS_KEY_ID"),
        secret_access_key=Secret(_read(f"{whose}SECRET_ACCESS_KEY")),
        session_token=Secret(token),
    )
