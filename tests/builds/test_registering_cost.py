"""Registering costs the same however many builds there are: by index, one row at a time."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builds.models import Build, Product
from credentials.access.callers import Caller, authenticate
from credentials.access.registrations import register_owned_build
from credentials.access.rights import granted_product
from tests.conftest import raw_key


def queries_of_a_registration(caller: Caller, slug: str | None, now: datetime) -> list[str]:
    """From the token to the row, as `POST /products/<slug>/builds/` does it."""
    with CaptureQueriesContext(connection) as captured:
        found = authenticate(raw_token=raw_key(caller), name=None, now=now)
        product = granted_product(caller=found, slug="guide")
        register_owned_build(
            caller=found, product=product, slug=slug, git_refs=[], github_requester="", now=now
        )
    return [query["sql"] for query in captured]


def fill(product: Product, now: datetime, count: int, of: str = "old", **fields: Any) -> None:
    Build.objects.bulk_create(
        Build(
            product=product,
            slug=f"{of}-{number}",
            server_made=False,
            bucket_name="docs-bucket",
            root=f"{product.slug}/builds/{of}-{number}",
            surrogate_key="c" * 32,
            registered_at=now,
            open_until=now + timedelta(hours=1),
            **fields,
        )
        for number in range(count)
    )


LONG = "a-slug-of-more-than-26-characters"


SLUGS = {"server-made": None, "short": "v1", "long": LONG}


def test_registering_asks_as_many_queries_of_a_full_product(
    caller: Caller, product: Product, now: datetime
) -> None:
    queries_of_a_registration(caller, "first", now)  # notes the use of the key
    asked = [len(queries_of_a_registration(caller, slug, now)) for slug in SLUGS.values()]
    fill(product, now, 500)
    again = [slug and f"{slug}-2" for slug in SLUGS.values()]
    assert [len(queries_of_a_registration(caller, slug, now)) for slug in again] == asked
    assert max(asked) <= 11


@pytest.mark.sqlite
def test_registering_searches_by_index_alone(
    caller: Caller, product: Product, now: datetime
) -> None:
    fill(product, now, 50)
    bound = "LIMIT|secret_sha256 = |p.slug = |requested_at > "
    for slug in SLUGS.values():
        asked = queries_of_a_registration(caller, slug, now)
        plans = {sql: plan_of(sql) for sql in asked if " FROM " in sql and "webhook" not in sql}
        assert len(plans) >= 3, slug
        assert [sql for sql in plans if not re.search(bound, sql)] == [], slug
        assert {sql: plan for sql, plan in plans.items() if "SCAN" in plan} == {}, slug
        assert any("USING INDEX build_open_by" in plan for plan in plans.values()), slug


def plan_of(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        lines = [str(row[-1]) for row in cursor.fetchall()]
    # The rows of a bounded subquery are counted one by one, and what has no table is one row.
    harmless = ("SCAN subquery", "SCAN CONSTANT ROW", "SCAN used")
    return "; ".join(line for line in lines if not line.startswith(harmless))


@pytest.mark.sqlite
def test_plan_would_show_a_scan(product: Product) -> None:
    assert "SCAN" in plan_of("SELECT id FROM builds_build WHERE git_refs = 'main'")
