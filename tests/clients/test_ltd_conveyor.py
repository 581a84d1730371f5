"""The uploaders of LSST the Docs do all by themselves, as in docs/how-to/ltd-conveyor.rst."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.jobs import begin_job
from tests.clients.matrix import Row
from tests.clients.programs import executable, run
from tests.clients.scene import CLIENT, PRODUCT, Scene
from tests.clients.trees import StoredFile, Tree, tree_on_disk
from tests.store.uploader import RegisteredBuild

EMPTY_DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def ltd_upload(program: str, site: Path, *options: str) -> list[str]:
    what = ["--product", PRODUCT, "--git-ref", "main", "--dir", str(site)]
    return [executable(program, "ltd"), "upload", *what, *options]


def folder_objects(site: Path, *, content_type: str) -> Tree:
    """The empty objects named like folders, which send readers on to `index.html`."""
    folders = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_dir()]
    empty = StoredFile(digest=EMPTY_DIGEST, content_type=content_type)
    return dict.fromkeys(folders, empty)


def headers_of(scene: Scene, build: RegisteredBuild) -> dict[str, dict[str, Any]]:
    """What a page, a folder and the root itself are served with."""
    names = {"page": "/index.html", "folder": "/api", "root": ""}
    return {
        what: {
            name: scene.head(build, name_inside).get(name) for name in ("CacheControl", "Metadata")
        }
        for what, name_inside in names.items()
    }


def promised_headers(
    told: dict[str, Any], cache_control: str | None = "max-age=31536000"
) -> dict[str, dict[str, Any]]:
    """What Fastly is told there: keep it, purge it by this key, redirect from a folder."""
    surrogate_key = {"surrogate-key": told["surrogate_key"]}
    page = {"CacheControl": cache_control, "Metadata": surrogate_key}
    folder = page | {"Metadata": surrogate_key | {"dir-redirect": "true"}}
    return {"page": page, "folder": folder, "root": folder}


@pytest.mark.way("ltd upload, 0.4")
def test_ltd_conveyor_0_4(scene: Scene, site: Path, row: Row, tmp_path: Path) -> None:
    job = begin_job(scene, PRODUCT, tmp_path)
    options = ("--aws-id", "", "--aws-secret", "")
    with scene.counter.counting() as counts:
        run(ltd_upload("ltd-conveyor-0.4", site, *options), env=job)
    build, told = scene.newest_build(PRODUCT)
    redirects = folder_objects(site, content_type=scene.default_type)
    assert scene.tree_of(build) == tree_on_disk(site, unknown=scene.default_type) | redirects
    assert headers_of(scene, build) == promised_headers(told)
    assert counts.seen == row.promised
    assert told["uploaded"]


@pytest.mark.way("ltd upload, 0.8")
def test_ltd_conveyor_0_8(posting: Scene, post_site: Path, row: Row) -> None:
    build, told = upload_with_0_8(posting, post_site, row)
    assert headers_of(posting, build) == promised_headers(told)


@pytest.mark.way("ltd upload, 0.8, with a signer")
def test_ltd_conveyor_0_8_with_a_signer(posting: Scene, post_site: Path, row: Row) -> None:
    build, told = upload_with_0_8(posting, post_site, row)
    # Ceph 16 takes the field and keeps nothing of it.
    assert headers_of(posting, build) == promised_headers(told, cache_control=None)


def upload_with_0_8(
    posting: Scene, post_site: Path, row: Row
) -> tuple[RegisteredBuild, dict[str, Any]]:
    """With an API key; what arrived is what was there, for as much as the row says."""
    access = {"LTD_HOST": posting.uploader.url, "LTD_PASSWORD": posting.api_key}
    environment = posting.environment | access | {"LTD_USERNAME": CLIENT}
    with posting.counter.counting() as counts:
        run(ltd_upload("ltd-conveyor", post_site), env=environment)
    build, told = posting.newest_build(PRODUCT)
    redirects = folder_objects(post_site, content_type=posting.default_type)
    assert posting.tree_of(build) == tree_on_disk(post_site) | redirects
    assert counts.seen == row.promised
    assert told["uploaded"]
    return build, told
