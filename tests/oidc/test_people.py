"""Signing in to the admin at an issuer on loopback: who gets in, as whom, and with which groups."""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client as Browser

from credentials.access.refusals import refusals
from credentials.models import PersonIdentity
from tests.oidc.issuer import Issuer, send

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.loopback,
    pytest.mark.usefixtures("groups"),
]

SIGN_IN, CALLBACK = "/admin/oidc/sign-in/", "/admin/oidc/callback/"
CLIENT_ID = "ltdkeeper"
SignIn = Callable[..., Any]


@pytest.fixture(autouse=True)
def _staff_issuer(issuer: Issuer, settings: Any) -> None:
    settings.LTD_ADMIN_OIDC_ISSUER = issuer.url
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{issuer.url}/authorize"
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{issuer.url}/token"
    settings.OIDC_OP_JWKS_ENDPOINT = f"{issuer.url}{issuer.jwks_path}"
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = CLIENT_ID, "only-for-tests"
    settings.LTD_ADMIN_OIDC_GROUPS = {"viewer": "docs-readers", "operator": "docs-on-call"}
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "ltdkeeper.admin.oidc_sign_in.OidcBackend",
    ]
    issuer.forms.clear()


def begin(browser: Browser, address: str = "") -> dict[str, str]:
    """What a browser is sent to the issuer with."""
    location = browser.get(SIGN_IN, {"next": address})["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def claims_for(issuer: Issuer, asked: dict[str, str], **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "sub": "1234",
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 300,
        "nonce": asked["nonce"],
        "preferred_username": "ada",
        "groups": ["staff", "docs-on-call"],
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


@pytest.fixture
def sign_in(issuer: Issuer) -> SignIn:
    """Go the whole way with a browser; `answer` replaces the token endpoint's document."""

    def go(browser: Browser, *, answer: Any = None, sign: Any = None, **changes: Any) -> Any:
        go.asked = asked = begin(browser, "/admin/builds/")  # type: ignore[attr-defined]
        token = (sign or issuer.sign)(claims_for(issuer, asked, **changes))
        body = json.dumps({"id_token": token, "access_token": "x"} if answer is None else answer)
        keys = json.dumps(issuer.jwks()).encode()
        issuer.answer = lambda handler: send(
            handler, body.encode() if handler.path == "/token" else keys
        )
        return browser.get(CALLBACK, {"code": "c0de", "state": asked["state"]})

    return go


def is_logged_in(browser: Browser) -> bool:
    return browser.get("/admin/").status_code == 200


def test_person_in_a_group_is_signed_in(sign_in: SignIn, issuer: Issuer) -> None:
    browser = Browser()
    assert sign_in(browser)["Location"] == "/admin/builds/"
    assert is_logged_in(browser)
    user = User.objects.get(username="ada")
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (True, False, False)
    assert [group.name for group in user.groups.all()] == ["operator"]
    assert (user.identity.issuer, user.identity.subject) == (issuer.url, "1234")


def test_code_is_exchanged_with_proof_of_who_asked(sign_in: SignIn, issuer: Issuer) -> None:
    sign_in(Browser())
    asked = sign_in.asked  # type: ignore[attr-defined]
    assert (asked["code_challenge_method"], len(asked["nonce"])) == ("S256", 32)
    assert asked["redirect_uri"] == "https://keeper.example.org/admin/oidc/callback/"
    form = {name.decode(): values[0].decode() for name, values in issuer.forms[-1].items()}
    assert form["redirect_uri"] == asked["redirect_uri"]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]


# what is wrong with the claims of an ID token
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "x" * 32},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://evil.example.org"},
    "another audience": {"aud": "somebody-else"},
    "several audiences": {"aud": [CLIENT_ID, "somebody-else"]},
    "another party": {"azp": "somebody-else"},
    "expired": {"exp": int(time.time()) - 600},
    "no expiry": {"exp": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "endless subject": {"sub": "x" * 256},
    "no group": {"groups": ["staff"]},
    "no groups at all": {"groups": None},
    "groups of another form": {"groups": {"docs-on-call": True}},
    "part of a group's name": {"groups": "docs-on-call-not"},
}


def test_wrong_claims_sign_nobody_in(sign_in: SignIn) -> None:
    for case, changes in WRONG_CLAIMS.items():
        browser = Browser()
        assert sign_in(browser, **changes)["Location"] == "/admin/login/", case
        assert not is_logged_in(browser), case
        assert not User.objects.filter(username="ada").exists(), case
        assert [call.reason for call in refusals.take()] == ["failed_login"], case


# how an ID token may be signed wrongly
WRONG_SIGNATURES: dict[str, Callable[[Issuer, dict[str, Any]], str]] = {
    "forged": lambda issuer, claims: issuer.sign(claims)[:-8] + "AAAAAAAA",
    "unknown key": lambda issuer, claims: issuer.sign(claims, kid="another"),
    "with the client's secret": lambda issuer, claims: issuer.sign(
        claims, key="only-for-tests" * 3, algorithm="HS256"
    ),
    "not at all": lambda issuer, claims: issuer.sign(claims, key=None).rpartition(".")[0] + ".",
}


def test_wrong_signature_signs_nobody_in(sign_in: SignIn, issuer: Issuer) -> None:
    for case, make in WRONG_SIGNATURES.items():
        browser = Browser()
        sign_in(browser, sign=partial(make, issuer))
        assert not is_logged_in(browser), case


def test_strange_answer_of_the_issuer_signs_nobody_in(sign_in: SignIn) -> None:
    for answer in [{}, [], {"id_token": None}, {"id_token": 7}, "x"]:
        browser = Browser()
        assert sign_in(browser, answer=answer)["Location"] == "/admin/login/", answer
        assert "You are not signed in" in browser.get("/admin/login/").content.decode(), answer


def test_issuer_that_is_away_signs_nobody_in(sign_in: SignIn, settings: Any) -> None:
    settings.OIDC_OP_TOKEN_ENDPOINT = "https://127.0.0.1:1/token"
    assert sign_in(Browser())["Location"] == "/admin/login/"


def test_answer_that_nobody_waits_for_does_nothing(db: None) -> None:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    for query in [{}, {"code": "c"}, {"error": "x"}, {"code": "c", "state": "s"}]:
        assert browser.get(CALLBACK, query)["Location"] == "/admin/login/", query
        assert is_logged_in(browser), query


def test_answer_to_another_browser_does_nothing(issuer: Issuer) -> None:
    asked = begin(Browser())
    browser = Browser()
    browser.get(CALLBACK, {"code": "c", "state": asked["state"]})
    assert issuer.forms == []


def test_person_is_known_by_subject_and_by_nothing_else(sign_in: SignIn) -> None:
    local = User.objects.create_superuser("ada", email="ada@example.org")
    mine = {"email": "ada@example.org"}
    sign_in(Browser(), **mine)
    sign_in(Browser(), **mine, preferred_username="ada.lovelace")
    sign_in(Browser(), **mine, sub="5678")
    users = {identity.subject: identity.user for identity in PersonIdentity.objects.all()}
    assert set(users) == {"1234", "5678"}
    assert len({local, *users.values()}) == 3
    assert users["1234"].username.startswith("ada-")


def test_groups_follow_the_claim_and_are_on_record(sign_in: SignIn) -> None:
    browser = Browser()
    sign_in(browser)
    user = User.objects.get(username="ada")
    user.groups.add(Group.objects.create(name="translators"))
    sign_in(Browser(), groups=["docs-readers"])
    assert {group.name for group in user.groups.all()} == {"viewer", "translators"}
    sign_in(Browser(), groups=[])
    assert {group.name for group in user.groups.all()} == {"translators"}
    assert not is_logged_in(browser)
    said = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    words = [message.removeprefix("Signed in at the issuer: ") for message in said]
    assert words == ["operator.", "viewer.", "no group."]


def test_disabled_account_stays_out(sign_in: SignIn) -> None:
    browser = Browser()
    sign_in(browser)
    User.objects.update(is_active=False)
    assert not is_logged_in(browser)
    assert browser.get("/admin/login/").wsgi_request.user.is_anonymous
    sign_in(browser)
    assert not is_logged_in(browser)


def test_sign_in_meets_the_second_factor_and_ends_after_twelve_hours(
    sign_in: SignIn, settings: Any
) -> None:
    settings.LTD_REQUIRE_SECOND_FACTOR = True
    browser = Browser()
    sign_in(browser)
    assert is_logged_in(browser)
    assert 11 * 3600 < browser.session.get_expiry_age() <= 12 * 3600


def test_login_page_leads_to_the_issuer(db: None) -> None:
    assert f'href="{SIGN_IN}?next=' in Browser().get("/admin/login/").content.decode()


def test_password_form_takes_no_code_of_the_issuer(issuer: Issuer) -> None:
    fields = {"username": "ada", "password": "x"}
    Browser().post("/admin/login/?code=c&state=s", fields)
    assert issuer.forms == []


def test_without_an_issuer_there_is_nothing(settings: Any, db: None) -> None:
    settings.LTD_ADMIN_OIDC_ISSUER = ""
    assert [Browser().get(page).status_code for page in (SIGN_IN, CALLBACK)] == [404, 404]
    assert SIGN_IN not in Browser().get("/admin/login/").content.decode()
