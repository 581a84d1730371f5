"""Who waits for a fetch of keys that does not end waits once, and nobody after it does."""

from collections.abc import Iterator

import pytest

from credentials.access import identity_tokens as jwks
from credentials.access.identity_tokens import IssuerKeys
from credentials.errors import JwksUnavailable

URL = "https://issuer.example.org/keys"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[IssuerKeys]:
    """Keys whose fetch has begun and does not end."""
    monkeypatch.setattr(jwks, "WAIT_FOR_OTHERS_SECONDS", 0.01)
    keys = IssuerKeys(URL)
    keys._turn.acquire()
    yield keys
    jwks.cooldown.clear()


def test_waiter_gives_up_and_the_address_is_left_alone(hanging: IssuerKeys) -> None:
    with pytest.raises(JwksUnavailable):
        hanging.find("any")
    assert jwks.cooldown.is_on(URL)


def test_next_one_does_not_wait(hanging: IssuerKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    jwks.cooldown.begin(URL)
    monkeypatch.setattr(jwks, "WAIT_FOR_OTHERS_SECONDS", 3600)  # would never end
    with pytest.raises(JwksUnavailable):
        hanging.find("any")
