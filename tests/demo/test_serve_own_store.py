"""`make serve` on a store that the operator names."""

from pathlib import Path

import pytest

from demo.identities import BUCKET, ROLE_ARN, Identities
from demo.store import EmbeddedStore
from tests.demo.processes import descendants, running
from tests.demo.serving import NAMES, serving, upload_page

pytestmark = pytest.mark.loopback


@pytest.fixture
def own_store(
    embedded_store: EmbeddedStore, identities: Identities, tmp_path: Path
) -> dict[str, str]:
    """The environment of an operator who has a store, as `.env` might hold it."""
    return {
        "LTD_SECRET_KEY": "a-secret-key-of-the-operators-own-choice-0123456789",
        "LTD_PUBLIC_URL": "",
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'own.sqlite3'}",
        "LTD_STORE_NAME": "own",
        "LTD_STORE_BUCKET": BUCKET,
        "LTD_STORE_ROLE_ARN": ROLE_ARN,
        "LTD_STORE_ENDPOINT_URL": embedded_store.endpoint_url,
        "AWS_ACCESS_KEY_ID": identities.vendor.access_key_id,
        "AWS_SECRET_ACCESS_KEY": identities.vendor.secret_access_key.reveal(),
    }


def test_named_store_is_served_without_an_embedded_one(
    tmp_path: Path, own_store: dict[str, str], embedded_store: EmbeddedStore
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in own_store.items()))
    with serving(tmp_path / "work", LTD_ENV_FILE=str(dotenv)) as own:
        assert own.values.keys() == NAMES
        assert own.values["AWS_ENDPOINT_URL"] == embedded_store.endpoint_url
        upload_page(own.values)
        started = descendants(own.process.pid)
    assert own.process.returncode == 0
    assert not running(started)
    assert not own.env_file.exists()


def test_public_name_need_not_lead_here_yet(tmp_path: Path, own_store: dict[str, str]) -> None:
    name = "https://keeper.example.org"
    proxied = {"LTD_PUBLIC_URL": name, "LTD_TRUSTED_PROXIES": "1"}
    with serving(tmp_path / "work", **own_store | proxied) as own:
        assert own.values["LTD_HOST"] == name
