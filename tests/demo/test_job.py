"""The site to upload: what is read of a folder, and how what arrived is compared with it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from demo.job import SiteFile, begin_site, differences, read_site, upload_site
from demo.processes import DemoError, WorkFolder
from demo.store import EmbeddedStore, administrator_policy, new_user

BUCKET = "sites"
BUILD = {"bucket_name": BUCKET, "bucket_root_dir": "site/builds/one"}


def test_every_file_is_read_with_name_size_and_type(tmp_path: Path) -> None:
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a b.css").write_text("body {}")
    (tmp_path / "index.html").write_text("<p>")
    found = [(file.name, file.size, file.content_type) for file in read_site(tmp_path)]
    assert found == [("_static/a b.css", 7, "text/css"), ("index.html", 3, "text/html")]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("objects.inv", "application/octet-stream"),
        ("search.js.gz", "application/gzip"),
        (".nojekyll", "application/octet-stream"),
    ],
)
def test_type_is_of_the_file_itself(tmp_path: Path, name: str, content_type: str) -> None:
    (tmp_path / name).write_text("x")
    assert read_site(tmp_path)[0].content_type == content_type


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("missing", "not a folder"), ("file", "not a folder"), ("only", "no files")],
)
def test_what_is_no_site_is_reported(tmp_path: Path, path: str, sentence: str) -> None:
    (tmp_path / "only" / "folders").mkdir(parents=True)
    (tmp_path / "file").touch()
    with pytest.raises(DemoError, match=sentence):
        read_site(tmp_path / path)


def test_name_that_is_no_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.html").write_text("x")
    with pytest.raises(DemoError, match="not UTF-8"):
        read_site(tmp_path)


def test_failing_sphinx_is_reported_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text("raise ValueError('a broken conf.py')")
    monkeypatch.setattr("demo.job.ROOT", tmp_path)
    folder = WorkFolder("play", root=tmp_path / "work")
    with (
        folder.opened(),
        begin_site(folder=folder, site="") as finished_site,
        pytest.raises(DemoError, match="a broken conf"),
    ):
        finished_site()


@pytest.fixture
def site(tmp_path: Path) -> list[SiteFile]:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "style.css").write_text("p {}")
    return read_site(tmp_path)


@pytest.fixture(scope="module")
def s3(embedded_store: EmbeddedStore) -> Any:
    key = new_user(embedded_store, "uploader", policy=administrator_policy())
    client = embedded_store.client("s3", **asdict(key))
    client.create_bucket(Bucket=BUCKET)
    return client


TAMPERED: dict[str, tuple[str, dict[str, Any]]] = {
    "other bytes": ("index.html", {"Body": b"<b>", "ContentType": "text/html"}),
    "other type": ("index.html", {"Body": b"<p>", "ContentType": "text/plain"}),
    "one more": ("more.html", {"Body": b"<p>", "ContentType": "text/html"}),
}


@pytest.mark.parametrize(("name", "change"), TAMPERED.values(), ids=TAMPERED.keys())
def test_tampered_site_differs(
    s3: Any, site: list[SiteFile], name: str, change: dict[str, Any]
) -> None:
    upload_site(s3, BUILD, site)
    assert differences(s3, BUILD, site) == []
    key = f"{BUILD['bucket_root_dir']}/{name}"
    s3.put_object(Bucket=BUCKET, Key=key, **change)
    assert len(differences(s3, BUILD, site)) == 1
    s3.delete_object(Bucket=BUCKET, Key=key)


def test_missing_file_is_a_difference(s3: Any, site: list[SiteFile]) -> None:
    upload_site(s3, BUILD, site)
    s3.delete_object(Bucket=BUCKET, Key=f"{BUILD['bucket_root_dir']}/style.css")
    assert differences(s3, BUILD, site) == ["missing: style.css"]
