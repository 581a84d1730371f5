"""What the doctor expects of presigned POSTs follows what the service would sign."""

from typing import Any

import pytest

from builds.models import Store
from credentials.doctor.expectations import expected_of

pytestmark = pytest.mark.django_db

ELSEWHERE = {"endpoint_url": "https://s3.example.org"}
STORES: dict[str, tuple[dict[str, str], int | None]] = {
    "AWS, not tried": ({}, 12_345),
    "elsewhere, not tried": (ELSEWHERE, None),
    "elsewhere, taken": (ELSEWHERE | {"post_support": "works"}, 12_345),
    "not taken": ({"post_support": "broken"}, None),
    "not taken, with an identity": (
        {"post_support": "broken", "post_signer_profile": "posts"},
        12_345,
    ),
}


@pytest.mark.parametrize("case", STORES)
def test_posts_are_judged_where_they_are_signed(case: str, store: Store, settings: Any) -> None:
    settings.LTD_POST_LIFETIME = 12_345
    changes, expected = STORES[case]
    for name, value in changes.items():
        setattr(store, name, value)
    assert expected_of(store).post_seconds == expected
