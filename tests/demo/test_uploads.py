"""What was uploaded is compared byte for byte with what is on disk."""

from pathlib import Path
from typing import Any

import pytest

from demo.identities import BUCKET, Identities
from demo.keeper import Build
from demo.site import SiteFile, read_site
from demo.store import EmbeddedStore
from demo.upload import differences, upload_site

pytestmark = pytest.mark.loopback

BUILD = Build(url="", slug="one", bucket=BUCKET, root="site/builds/one")


@pytest.fixture
def site(tmp_path: Path) -> list[SiteFile]:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "style.css").write_text("p {}")
    return read_site(tmp_path)


@pytest.fixture
def s3(embedded_store: EmbeddedStore, identities: Identities, site: list[SiteFile]) -> Any:
    """The admin's S3, with the site uploaded and nothing else below its root."""
    client = embedded_store.admin_client("s3")
    for item in client.list_objects_v2(Bucket=BUCKET, Prefix=BUILD.root).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    upload_site(s3=client, build=BUILD, files=site)
    return client


def test_uploaded_site_differs_in_nothing(s3: Any, site: list[SiteFile]) -> None:
    assert differences(s3=s3, build=BUILD, files=site) == []


TAMPERED: dict[str, tuple[str, dict[str, Any]]] = {
    "other bytes": ("index.html", {"Body": b"<b>", "ContentType": "text/html"}),
    "other size": ("index.html", {"Body": b"<p> ", "ContentType": "text/html"}),
    "other type": ("index.html", {"Body": b"<p>", "ContentType": "text/plain"}),
    "one more": ("more.html", {"Body": b"<p>", "ContentType": "text/html"}),
}


@pytest.mark.parametrize(("name", "change"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampered_site_differs(
    s3: Any, site: list[SiteFile], name: str, change: dict[str, Any]
) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"{BUILD.root}/{name}", **change)
    assert len(differences(s3=s3, build=BUILD, files=site)) == 1


def test_missing_file_is_a_difference(s3: Any, site: list[SiteFile]) -> None:
    s3.delete_object(Bucket=BUCKET, Key=f"{BUILD.root}/{site[1].name}")
    assert differences(s3=s3, build=BUILD, files=site) == [f"missing: {site[1].name}"]
