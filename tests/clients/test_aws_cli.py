"""The AWS CLI: sync, which looks before it writes, and cp, which does not."""

import shutil
from pathlib import Path

import pytest

from tests.clients.matrix import Row
from tests.clients.programs import executable, run
from tests.clients.scene import PRODUCT, SYNCED, Scene
from tests.clients.trees import tree_on_disk
from tests.store.uploader import RegisteredBuild


def s3_command(name: str, site: Path, build: RegisteredBuild, *options: str) -> list[str]:
    target = f"s3://{build.bucket}/{build.root}/"
    aws = executable("aws-cli", "aws")
    return [aws, "s3", name, str(site), target, "--no-progress", *options]


@pytest.mark.way("aws s3 cp --recursive")
def test_cp_uploads_a_tree(scene: Scene, site: Path, row: Row) -> None:
    build = scene.uploader.register(PRODUCT)
    with scene.counter.counting() as counts:
        run(s3_command("cp", site, build, "--recursive"), env=scene.container(build))
    assert scene.tree_of(build) == tree_on_disk(site, unknown=scene.default_type)
    assert counts.seen == row.promised


@pytest.mark.way("aws s3 sync, twice")
def test_second_sync_uploads_nothing(scene: Scene, site: Path, row: Row) -> None:
    build = scene.uploader.register(PRODUCT)
    with scene.counter.counting() as counts:
        first = run(s3_command("sync", site, build), env=scene.container(build))
        second = run(s3_command("sync", site, build), env=scene.container(build))
    assert first.count("upload: ") == len(tree_on_disk(site))
    assert second == ""
    assert scene.tree_of(build) == tree_on_disk(site, unknown=scene.default_type)
    assert counts.seen == row.promised


@pytest.mark.way("aws s3 sync --delete")
def test_sync_deletes_what_is_gone(scene: Scene, site: Path, row: Row, tmp_path: Path) -> None:
    build = scene.uploader.register(SYNCED)
    smaller = shutil.copytree(site, tmp_path / "site")
    with scene.counter.counting() as counts:
        run(s3_command("sync", smaller, build), env=scene.container(build))
        (smaller / "index.html").unlink()
        shutil.rmtree(smaller / "api")
        run(s3_command("sync", smaller, build, "--delete"), env=scene.container(build))
    assert scene.tree_of(build) == tree_on_disk(smaller, unknown=scene.default_type)
    assert counts.seen == row.promised


@pytest.mark.way("aws s3 sync --delete")
def test_upload_access_does_not_delete(scene: Scene, site: Path, tmp_path: Path) -> None:
    build = scene.uploader.register(PRODUCT)
    smaller = shutil.copytree(site, tmp_path / "site")
    run(s3_command("sync", smaller, build), env=scene.container(build))
    (smaller / "index.html").unlink()
    command = s3_command("sync", smaller, build, "--delete")
    assert "delete failed: " in run(command, env=scene.container(build), code=1)
    assert scene.tree_of(build) == tree_on_disk(site, unknown=scene.default_type)
