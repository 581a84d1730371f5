"""Every kind of caller that an endpoint may meet, as the headers it sends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.test import Client as Browser

from builds.models import Build, Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import (
    command_line_user,
    create_client,
    make_api_key,
    revoke_api_key,
    revoke_job_token,
    start_access_token,
    start_job_token,
)
from credentials.access.registrations import register_owned_build
from credentials.models import Client, OidcIssuer, TrustedPublisher


@dataclass(frozen=True, kw_only=True)
class World:
    """A product with a client, another product with another client, and jobs of the client's
    trusted publishers."""

    product: Product
    other_product: Product
    client: Client
    now: datetime

    def key(self, client: Client | None = None, **fields: Any) -> str:
        _, secret = make_api_key(client=client or self.client, actor=command_line_user(), **fields)
        return secret.reveal()

    def caller(self, raw_token: str) -> Caller:
        return authenticate(raw_token=raw_token, name=None, now=self.now)

    def job(self, publisher_name: str = "docs") -> str:
        issuer, _ = OidcIssuer.objects.get_or_create(
            kind="github", issuer="https://ci.example", jwks_url="https://ci.example/keys"
        )
        publisher, _ = TrustedPublisher.objects.get_or_create(
            name=publisher_name,
            defaults={"client": self.client, "issuer": issuer, "conditions": {"a": ["1"]}},
        )
        publisher.products.add(self.product)
        _, secret = start_job_token(
            client=self.client, publisher=publisher, products=[self.product], now=self.now
        )
        return secret.reveal()

    def register(self, raw_token: str) -> Build:
        return register_owned_build(
            caller=self.caller(raw_token),
            product=self.product,
            slug=None,
            git_refs=["main"],
            github_requester="",
            now=self.now,
        )


def nobody(_world: World, _job: str) -> dict[str, str]:
    return {}


def wrong_key(world: World, _job: str) -> dict[str, str]:
    return bearer(world.key()[:-8] + "00000000")


def expired_key(world: World, _job: str) -> dict[str, str]:
    return bearer(world.key(expires_at=world.now - timedelta(seconds=1)))


def revoked_key(world: World, _job: str) -> dict[str, str]:
    key = world.key()
    row = world.caller(key).api_key
    assert row is not None
    revoke_api_key(key=row, actor=command_line_user(), now=world.now)
    return bearer(key)


def disabled_client(world: World, _job: str) -> dict[str, str]:
    client, _ = create_client(
        name="disabled", product_slugs=[world.product.slug], may_create_products=False
    )
    key = world.key(client)
    Client.objects.filter(pk=client.pk).update(is_active=False)
    return bearer(key)


def ended_job(world: World, _job: str) -> dict[str, str]:
    job = world.job()
    row = world.caller(job).job_token
    assert row is not None
    revoke_job_token(job_token=row, now=world.now)
    return bearer(job)


def other_products_client(world: World, _job: str) -> dict[str, str]:
    slug = world.other_product.slug
    client, _ = create_client(name="other", product_slugs=[slug], may_create_products=False)
    return bearer(world.key(client))


def other_job(world: World, _job: str) -> dict[str, str]:
    return bearer(world.job("previews"))


def later_job(world: World, _job: str) -> dict[str, str]:
    return bearer(world.job())


def right_job(_world: World, job: str) -> dict[str, str]:
    return bearer(job)


def access_token(world: World, _job: str) -> dict[str, str]:
    return bearer(start_access_token(caller=world.caller(world.key()), now=world.now).reveal())


def api_key(world: World, _job: str) -> dict[str, str]:
    return bearer(world.key())


def admins_cookie(_world: World, _job: str) -> dict[str, str]:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    return {"HTTP_COOKIE": f"sessionid={browser.cookies['sessionid'].value}"}


def bearer(raw_token: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": f"Bearer {raw_token}"}


CALLERS: dict[str, Callable[[World, str], dict[str, str]]] = {
    "nobody": nobody,
    "admin's cookie": admins_cookie,
    "wrong key": wrong_key,
    "expired key": expired_key,
    "revoked key": revoked_key,
    "disabled client": disabled_client,
    "ended job": ended_job,
    "other product's client": other_products_client,
    "other job": other_job,
    "later job": later_job,
    "right job": right_job,
    "access token": access_token,
    "API key": api_key,
}
