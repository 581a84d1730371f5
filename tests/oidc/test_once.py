"""An identity token is good for one job token, however it comes again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from builds.models import Product
from credentials.models import JobToken, OidcIssuer, TrustedPublisher, UsedIdentityToken
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show
from tests.oidc.identities import github
from tests.oidc.issuer import Issuer

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Signed = Callable[..., str]


def test_token_is_taken_once(show: Show, publisher: TrustedPublisher, signed: Signed) -> None:
    token = signed()
    assert show(token).status_code == 200
    assert_problem(show(token), 422, "reused_token")
    assert JobToken.objects.count() == 1


def test_other_token_of_the_same_jti_is_a_reuse(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    show(signed(jti="one"))
    assert_problem(show(signed(jti="one", run_id="2")), 422, "reused_token")
    assert show(signed(jti="two")).status_code == 200


@pytest.mark.parametrize("jti", [None, ""])
def test_token_without_jti_is_known_by_what_is_signed(
    jti: str | None, show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    token = signed(jti=jti)
    assert show(token).status_code == 200
    assert_problem(show(token), 422, "reused_token")
    assert show(signed(jti=jti, run_id="2")).status_code == 200


def test_es256_token_without_jti_is_not_new_for_another_signature(
    show: Show, publisher: TrustedPublisher, issuer: Issuer
) -> None:
    issuer.rotate(curve=ec.SECP256R1())
    claims = github(issuer.url, jti=None)
    one, two = issuer.sign(claims), issuer.sign(claims)
    assert one != two
    assert show(one).status_code == 200
    assert_problem(show(two), 422, "reused_token")


def test_jti_counts_for_its_issuer_only(
    show: Show, publisher: TrustedPublisher, signed: Signed, issuer: Issuer
) -> None:
    show(signed(jti="one"))
    renamed = issuer.url + "/octo"
    OidcIssuer.objects.update(issuer=renamed)
    assert show(signed(jti="one", iss=renamed)).status_code == 200


NOT_USED_UP = {
    "product that is not opened": {"products": ["nowhere"]},
    "life that no token has": {"expires_in": 1},
}


@pytest.mark.parametrize("members", NOT_USED_UP.values(), ids=NOT_USED_UP)
def test_refused_request_does_not_use_the_token_up(
    members: dict[str, object], show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    token = signed()
    assert show(token, **members).status_code in {400, 403}
    assert show(token).status_code == 200


def test_token_that_no_rule_lets_in_may_come_again(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    token = signed()
    TrustedPublisher.objects.update(is_active=False)
    assert_problem(show(token), 403, "no_matching_publisher")
    TrustedPublisher.objects.update(is_active=True)
    assert show(token).status_code == 200


def test_token_is_remembered_until_nobody_takes_it_and_then_forgotten(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    token = signed()
    start = timezone.now()
    show(token)
    with time_machine.travel(start + timedelta(seconds=325), tick=False):
        assert_problem(show(token), 422, "reused_token")
    with time_machine.travel(start + timedelta(seconds=335), tick=False):
        assert_problem(show(token), 400, "expired")
        assert UsedIdentityToken.objects.count() == 1
    with time_machine.travel(start + timedelta(seconds=605), tick=False):
        show(signed())
        assert UsedIdentityToken.objects.count() == 1


def test_host_whose_clock_is_ahead_forgets_no_token_that_others_take(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    token = signed()
    start = timezone.now()
    show(token)
    with time_machine.travel(start + timedelta(seconds=325 + 240), tick=False):
        assert show(signed()).status_code == 200
    with time_machine.travel(start + timedelta(seconds=325), tick=False):
        assert_problem(show(token), 422, "reused_token")


def test_only_a_hash_is_remembered(
    show: Show, publisher: TrustedPublisher, signed: Signed, product: Product
) -> None:
    show(signed(jti="a-jti"))
    used = UsedIdentityToken.objects.get()
    assert len(used.one_time_id) == 64
    assert "a-jti" not in used.one_time_id
