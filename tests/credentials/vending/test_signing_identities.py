"""The identity that signs POSTs comes from its profile, and is never the vendor."""

from collections.abc import Callable
from pathlib import Path

import pytest

from builds.models import Store
from credentials.errors import (
    PostNotSupported,
    PostSignerUnusable,
    PostSupportUnknown,
    VendorCredentialsMissing,
)
from credentials.vending import signing
from credentials.vending.signing import post_signer, signer_for_posts

VENDOR, SIGNER = "AKIAVENDOR", "AKIASIGNER"


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """The service's own AWS configuration; the vendor's key is in the environment."""
    signing._boto_session.cache_clear()
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", VENDOR)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "vendor's")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return file.write_text


def profile(access_key_id: str, more: str = "") -> str:
    secret = "aws_secret_access_key = signer's secret\n"
    return f"[posts]\naws_access_key_id = {access_key_id}\n{secret}{more}"


def store(**fields: str) -> Store:
    defaults = {"name": "main", "post_support": "broken", "post_signer_profile": "posts"}
    return Store(**(defaults | fields))


def test_key_is_the_profile_s(write: Callable[[str], object]) -> None:
    write(profile(SIGNER))
    found = post_signer(store())
    assert (found.access_key_id, found.secret_access_key.reveal()) == (SIGNER, "signer's secret")
    assert "signer's secret" not in repr(found)


UNUSABLE = {
    "no such profile": "",
    "profile without a key": "[posts]\nregion = us-east-1\n",
    "half a key": "[posts]\naws_access_key_id = AKIASIGNER\n",
    "session's key": profile("ASIASIGNER", "aws_session_token = token\n"),
    "vendor's key": profile(VENDOR),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_profile_is_refused(case: str, write: Callable[[str], object]) -> None:
    write(UNUSABLE[case])
    with pytest.raises(PostSignerUnusable):
        post_signer(store())


def test_vendor_s_profile_by_another_name_is_refused(
    write: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_PROFILE", "vendor")
    write(profile(VENDOR) + profile(VENDOR).replace("posts", "vendor"))
    with pytest.raises(PostSignerUnusable):
        post_signer(store())


def test_without_a_vendor_nothing_is_signed(
    write: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    write(profile(SIGNER))
    with pytest.raises(VendorCredentialsMissing):
        post_signer(store())


BY_SESSION = {
    "works": store(post_support="works"),
    "works, elsewhere": store(post_support="works", endpoint_url="https://s3.example.org"),
    "unknown, AWS": store(post_support="unknown"),
}


@pytest.mark.parametrize("case", BY_SESSION)
def test_session_signs_where_posts_are_taken(case: str) -> None:
    assert signer_for_posts(BY_SESSION[case]) is None


def test_identity_signs_only_where_a_session_s_posts_are_not_taken(
    write: Callable[[str], object],
) -> None:
    write(profile(SIGNER))
    found = signer_for_posts(store())
    assert found is not None
    assert found.access_key_id == SIGNER


def test_nobody_signs_for_a_store_without_either() -> None:
    with pytest.raises(PostNotSupported):
        signer_for_posts(store(post_signer_profile=""))
    with pytest.raises(PostSupportUnknown):
        signer_for_posts(store(post_support="unknown", endpoint_url="https://s3.example.org"))
