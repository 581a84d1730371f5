"""Whatever stands in a row, no page of the admin takes it for markup."""

from contextlib import suppress
from datetime import datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import DatabaseError, models, transaction
from django.test import Client as Browser

from builds.models import Build
from credentials.models import Client
from tests.credentials.ledger_rows import issued_row
from tests.http.callers import World
from tests.http.leaks import admin_pages

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MARKUP = "<x-fuzz a='\">"
# A page makes the account's documents of these, and refuses others.
READ = {"bucket", "kms_key_arn"}


def spoil(model: type[models.Model]) -> int:
    """Put markup into every column of a model that takes it; how many did."""
    spoilt = 0
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, (models.CharField, models.TextField))
        is_read = field.choices or field.primary_key or field.name in READ
        if is_text and not is_read:
            with suppress(DatabaseError), transaction.atomic():
                model._base_manager.update(**{field.name: MARKUP})
                spoilt += 1
    return spoilt


def test_no_text_of_a_row_becomes_markup(build: Build, client_row: Client, now: datetime) -> None:
    world = World(product=build.product, other_product=build.product, client=client_row, now=now)
    world.register(world.job())
    issued_row(build=build, client=client_row)
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    spoilt = sum(spoil(model) for model in admin.site._registry if model is not User)
    pages = admin_pages(browser)
    assert spoilt > 20
    assert b"&lt;x-fuzz" in pages
    assert b"<x-fuzz" not in pages
