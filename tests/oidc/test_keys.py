"""How an issuer's keys are had: from one address, over TLS, not for long and not too often."""

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from credentials.access import identity_tokens as jwks
from credentials.errors import JwksUnavailable
from credentials.models import JobToken, OidcIssuer, TrustedPublisher
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show, forget_keys
from tests.oidc.issuer import JWKS_PATH, Issuer, TlsServer, send, write_authority

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

SECONDS = 1.0
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs that a test can wait for."""
    monkeypatch.setattr(jwks, "TIMEOUT_SECONDS", SECONDS)
    monkeypatch.setattr(jwks, "WHOLE_ANSWER_SECONDS", SECONDS)
    monkeypatch.setattr(jwks, "WAIT_FOR_OTHERS_SECONDS", SECONDS)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Send the beginning of an answer, and no more until the caller is gone."""
    handler.send_response(200)
    handler.end_headers()
    handler.rfile.read()


def redirecting(status: int) -> Callable[[str], Answer]:
    return lambda decoy: lambda handler: send(handler, b"", status, Location=decoy + JWKS_PATH)


def document(body: bytes, status: int = 200) -> Callable[[str], Answer]:
    return lambda _decoy: lambda handler: send(handler, body, status)


BROKEN: dict[str, Callable[[str], Answer]] = {
    "redirects": redirecting(302),
    "redirects for good": redirecting(308),
    "refuses": document(b"{}", 403),
    "fails": document(b"{}", 500),
    "no JSON": document(b"<html>"),
    "not even text": document(b"\xff\xfe"),
    "nested without end": document(b"[" * 100_000),
    "a list": document(b"[]"),
    "no keys": document(b'{"keys":[]}'),
    "keys that are no list": document(b'{"keys":{"a":1}}'),
    "keys of no known kind": document(b'{"keys":[{"kty":"x"},7,null]}'),
    "an algorithm that is a list": document(b'{"keys":[{"kty":"RSA","alg":["RS256"]}]}'),
    "hangs": lambda _decoy: hang,
}


@pytest.mark.usefixtures("_impatient")
def test_issuer_that_gives_no_keys_is_told_and_left_alone(
    show: Show,
    publisher: TrustedPublisher,
    signed: Callable[..., str],
    issuer: Issuer,
    decoy: TlsServer,
) -> None:
    for case, broken in BROKEN.items():
        forget_keys()
        issuer.requests.clear()
        issuer.answer = broken(decoy.url)
        for _ in range(2):
            answer = show(signed())
            assert (answer.status_code, answer["Retry-After"]) == (503, "10"), case
            assert_problem(answer, 503, "jwks_unavailable")
        assert (issuer.requests, decoy.requests) == ([JWKS_PATH], []), case
    issuer.behave()
    jwks.cooldown.clear()
    assert show(signed()).status_code == 200


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 503)])
def test_good_keys_in_an_answer_that_is_too_long_are_not_taken(
    more: int,
    status: int,
    show: Show,
    publisher: TrustedPublisher,
    signed: Callable[..., str],
    issuer: Issuer,
) -> None:
    keys = json.dumps(issuer.jwks()).encode().ljust(jwks.MAX_ANSWER_BYTES + more)
    issuer.answer = lambda handler: send(handler, keys)
    assert show(signed()).status_code == status


@pytest.mark.usefixtures("_impatient")
def test_good_keys_that_come_a_byte_at_a_time_are_not_waited_for(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str], issuer: Issuer
) -> None:
    """No single wait is long; all of them together are."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(20):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(SECONDS / 4)
        handler.wfile.write(json.dumps(issuer.jwks()).encode())

    issuer.answer = drip
    assert_problem(show(signed()), 503, "jwks_unavailable")


def test_issuer_that_is_away_is_told(
    show: Show, issuer_row: OidcIssuer, publisher: TrustedPublisher, signed: Callable[..., str]
) -> None:
    OidcIssuer.objects.update(jwks_url="https://127.0.0.1:9/jwks")
    assert_problem(show(signed()), 503, "jwks_unavailable")


def test_issuer_with_a_certificate_of_nobody_is_not_asked(
    show: Show,
    publisher: TrustedPublisher,
    signed: Callable[..., str],
    issuer: Issuer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(trustme.CA(), tmp_path)))
    assert_problem(show(signed()), 503, "jwks_unavailable")
    assert issuer.requests == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "file:///etc/passwd"])
def test_only_https_is_fetched_whatever_a_row_says(url: str) -> None:
    keys = jwks.keys_at("https://127.0.0.1:9/")
    keys.uri = url
    with pytest.raises(JwksUnavailable):
        keys.find("any")
    with pytest.raises(ValueError, match="https only"):
        keys._answer()


def test_keys_are_fetched_once_for_many_tokens(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str], issuer: Issuer
) -> None:
    assert [show(signed()).status_code for _ in range(5)] == [200] * 5
    assert issuer.requests == [JWKS_PATH]


def test_keys_are_fetched_again_after_five_minutes(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str], issuer: Issuer
) -> None:
    show(signed())
    let_pass(issuer, jwks.KEPT_SECONDS + 1)
    show(signed())
    assert issuer.requests == [JWKS_PATH] * 2


def let_pass(issuer: Issuer, seconds: float) -> None:
    """As if the keys had been fetched longer ago."""
    keys = jwks.keys_at(issuer.url + JWKS_PATH)
    keys._last_successful_fetch -= seconds
    keys.jwk_set_cache.jwk_set_with_timestamp.timestamp -= seconds


def test_unknown_key_ids_do_not_make_it_fetch_again_and_again(
    show: Show, publisher: TrustedPublisher, issuer: Issuer, signed: Callable[..., str]
) -> None:
    show(signed())
    issuer.keys = {"nobody's": issuer.keys.pop(issuer.kid)}
    issuer.kid = "nobody's"
    for _ in range(5):
        assert_problem(show(signed()), 400, "invalid_token")
    assert issuer.requests == [JWKS_PATH]


def test_rotated_key_is_taken_when_the_cool_down_is_over(
    show: Show, publisher: TrustedPublisher, issuer: Issuer, signed: Callable[..., str]
) -> None:
    before = signed()
    show(signed())
    issuer.rotate()
    after = signed()
    assert_problem(show(after), 400, "invalid_token")
    let_pass(issuer, jwks.UNKNOWN_KEY_SECONDS + 1)
    assert show(after).status_code == 200
    assert show(before).status_code == 200
    assert issuer.requests == [JWKS_PATH] * 2


def test_key_that_the_issuer_took_back_is_not_taken(
    show: Show, publisher: TrustedPublisher, issuer: Issuer, signed: Callable[..., str]
) -> None:
    old, token = issuer.kid, signed()
    show(signed())
    issuer.rotate()
    issuer.forget(old)
    let_pass(issuer, jwks.KEPT_SECONDS + 1)
    assert_problem(show(token), 400, "invalid_token")


def test_es256_is_taken(
    show: Show, publisher: TrustedPublisher, issuer: Issuer, signed: Callable[..., str]
) -> None:
    issuer.rotate(curve=ec.SECP256R1())
    assert show(signed()).status_code == 200


@pytest.fixture
def busy(issuer: Issuer) -> Iterator[Any]:
    """Another thread is fetching the keys, and does not come back."""
    keys = jwks.keys_at(issuer.url + JWKS_PATH)
    keys._turn.acquire()
    yield keys
    keys._turn.release()


@pytest.mark.usefixtures("_impatient", "busy")
def test_nobody_waits_for_long_behind_another_fetch(
    show: Show, publisher: TrustedPublisher, signed: Callable[..., str], issuer: Issuer
) -> None:
    assert_problem(show(signed()), 503, "jwks_unavailable")
    assert (issuer.requests, JobToken.objects.count()) == ([], 0)
