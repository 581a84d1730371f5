"""No bad token is taken, each is told why, and nobody but the configured issuer is asked."""

import json
import logging
from typing import Any

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from credentials.models import JobToken, TrustedPublisher, UsedIdentityToken
from tests.fuzz.cases import TEXTS, VALUES, fuzzed
from tests.http.problem import assert_problem
from tests.http.test_fuzz import is_answered
from tests.oidc.bad_tokens import BAD_TOKENS
from tests.oidc.conftest import Show, Trust, forget_keys
from tests.oidc.forging import Scene
from tests.oidc.issuer import JWKS_PATH, Issuer, TlsServer

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

SHORTEST_TOLD = 12


@pytest.fixture
def scene(issuer: Issuer, decoy: TlsServer) -> Scene:
    return Scene(issuer=issuer, decoy=decoy)


@pytest.fixture
def publisher(trust: Trust) -> TrustedPublisher:
    """In place of the common one: pushes to main only."""
    return trust(ref=["refs/heads/main"], ref_type=["branch"])


def test_the_rule_takes_a_good_token(show: Show, publisher: TrustedPublisher, scene: Scene) -> None:
    assert show(scene.signed()).status_code == 200


def test_bad_token_is_refused(
    show: Show, publisher: TrustedPublisher, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    keys, kid = dict(scene.issuer.keys), scene.issuer.kid
    for case, (make, status, code) in BAD_TOKENS.items():
        forget_keys()
        cache.clear()
        caplog.clear()
        scene.issuer.keys, scene.issuer.kid = dict(keys), kid
        scene.issuer.requests.clear()
        token = make(scene)
        with caplog.at_level(logging.DEBUG):
            answer = show(token)
        assert (answer.status_code, answer.json()["code"]) == (status, code), case
        assert_problem(answer, status, code)
        assert answer["Cache-Control"] == "no-store", case
        assert (JobToken.objects.count(), UsedIdentityToken.objects.count()) == (0, 0), case
        assert scene.decoy.requests == [], case
        assert set(scene.issuer.requests) <= (set() if code == "unknown_issuer" else {JWKS_PATH}), (
            case
        )
        told = answer.content.decode() + caplog.text
        assert [
            part for part in token.split(".") if len(part) > SHORTEST_TOLD and part in told
        ] == [], case


def test_keys_in_the_header_of_a_good_token_are_not_looked_at(
    show: Show, publisher: TrustedPublisher, scene: Scene
) -> None:
    headers = {"jku": scene.decoy.url, "x5u": scene.decoy.url}
    assert show(scene.issuer.sign(scene.claims(), **headers)).status_code == 200
    assert scene.decoy.requests == []


CLAIMS = ["iss", "aud", "iat", "exp", "nbf", "jti", "sub", "repository_id", "ref", "event_name"]


@fuzzed
@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "cty", "x5c"]), VALUES, max_size=1
    ),
    claims=st.dictionaries(st.sampled_from(CLAIMS) | TEXTS, VALUES, max_size=2),
)
def test_whatever_is_signed_is_answered(
    header: dict[str, Any],
    claims: dict[str, Any],
    show: Show,
    publisher: TrustedPublisher,
    scene: Scene,
) -> None:
    """Also what no provider signs: numbers without end, half characters, NUL."""
    head = {"alg": "RS256", "kid": "KID", **header}
    is_answered(show(scene.by_hand(json.dumps(head), json.dumps(scene.claims(**claims)))))
