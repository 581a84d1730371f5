"""An operator, the public issuers, and a rule made in the admin."""

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from builds.models import Product
from credentials.models import Client, OidcIssuer, TrustedPublisher
from tests.ltdkeeper.admin.publisher_pages import NUMBERS, add_rule


@pytest.fixture
def browser(db: None) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("operator"))
    return browser


@pytest.fixture
def github(db: None) -> OidcIssuer:
    issuer = OidcIssuer(kind="github")
    issuer.full_clean()
    issuer.save()
    return issuer


@pytest.fixture
def gitlab(db: None) -> OidcIssuer:
    issuer = OidcIssuer(kind="gitlab")
    issuer.full_clean()
    issuer.save()
    return issuer


@pytest.fixture
def rule(
    browser: Browser, github: OidcIssuer, client_row: Client, product: Product
) -> TrustedPublisher:
    add_rule(browser, github, client_row, product, **NUMBERS)
    return TrustedPublisher.objects.get()
