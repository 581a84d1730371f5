"""The form of an issuer: what is filled in, refused and frozen."""

import pytest
from django.test import Client as Browser
from django.urls import reverse

from credentials.models import OidcIssuer, TrustedPublisher
from tests.conftest import undone
from tests.ltdkeeper.admin.publisher_pages import ISSUERS, add_issuer

pytestmark = pytest.mark.django_db


PRESETS = {
    "github": (
        "github",
        "",
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/.well-known/jwks",
    ),
    "gitlab.com": (
        "gitlab",
        "",
        "https://gitlab.com",
        "https://gitlab.com/oauth/discovery/keys",
    ),
    "a GitLab of one's own": (
        "gitlab",
        "https://git.example.org",
        "https://git.example.org",
        "https://git.example.org/oauth/discovery/keys",
    ),
    "GitHub Enterprise Server": (
        "github",
        "https://ghe.example.org/_services/token",
        "https://ghe.example.org/_services/token",
        "https://ghe.example.org/_services/token/.well-known/jwks",
    ),
}


def test_issuer_of_a_known_kind_is_filled_in(browser: Browser) -> None:
    for case, (kind, given, issuer, jwks_url) in PRESETS.items():
        with undone():
            add_issuer(browser, kind, issuer=given)
            row = OidcIssuer.objects.get()
            assert (row.issuer, row.jwks_url) == (issuer, jwks_url), case


WRONG_ISSUERS: dict[str, dict[str, str]] = {
    "another without an address": {"kind": "other"},
    "http": {"kind": "gitlab", "issuer": "http://git.example.org"},
    "keys over http": {"kind": "github", "jwks_url": "http://git.example.org/jwks"},
    "a host alone": {"kind": "gitlab", "issuer": "git.example.org"},
    "credentials in it": {"kind": "gitlab", "issuer": "https://me:secret@git.example.org"},
    "a fragment": {"kind": "github", "jwks_url": "https://git.example.org/jwks#x"},
    "another that names nothing": {
        "kind": "other",
        "issuer": "https://ci.example.org",
        "jwks_url": "https://ci.example.org/jwks",
    },
    "another that names sub": {
        "kind": "other",
        "issuer": "https://ci.example.org",
        "jwks_url": "https://ci.example.org/jwks",
        "identifying_claims": '["sub"]',
    },
    "GitHub that names claims": {"kind": "github", "identifying_claims": '["repository"]'},
    "a kind that is none": {"kind": "jenkins"},
}


def test_issuer_that_could_not_be_trusted_is_refused(browser: Browser) -> None:
    for case, fields in WRONG_ISSUERS.items():
        answer = add_issuer(browser, **fields)
        assert "errorlist" in answer.content.decode(), case
        assert not OidcIssuer.objects.exists(), case


def test_issuer_with_rules_keeps_what_they_rest_on(
    browser: Browser, rule: TrustedPublisher
) -> None:
    change = reverse(f"{ISSUERS}_change", args=[rule.issuer.pk])
    moved = {"kind": "gitlab", "issuer": "https://x.example", "jwks_url": "https://x.example/keys"}
    browser.post(change, {**moved, "reason": "moved"})
    issuer = OidcIssuer.objects.get()
    assert (issuer.kind, issuer.jwks_url) == ("github", "https://x.example/keys")
    assert issuer.issuer == "https://token.actions.githubusercontent.com"
    delete = reverse(f"{ISSUERS}_delete", args=[issuer.pk])
    browser.post(delete, {"post": "yes"})
    assert OidcIssuer.objects.exists()
