"""SDKs, with credentials that they fetch by themselves."""

from pathlib import Path

import pytest

from tests.clients.matrix import Row
from tests.clients.programs import UPLOADS, executable, run
from tests.clients.scene import PRODUCT, Scene
from tests.clients.trees import tree_on_disk


@pytest.mark.way("boto3, eight threads")
def test_boto3_uploads_a_tree(scene: Scene, site: Path, row: Row) -> None:
    build = scene.uploader.register(PRODUCT)
    command = [executable("boto3"), str(UPLOADS / "boto3_tree.py")]
    with scene.counter.counting() as counts:
        run([*command, str(site), build.bucket, build.root], env=scene.container(build))
    assert scene.tree_of(build) == tree_on_disk(site)
    assert counts.seen == row.promised


@pytest.mark.way("s3fs")
def test_s3fs_uploads_a_tree(scene: Scene, site: Path, row: Row) -> None:
    build = scene.uploader.register(PRODUCT)
    command = [executable("s3fs"), str(UPLOADS / "s3fs_tree.py")]
    with scene.counter.counting() as counts:
        run([*command, str(site), build.bucket, build.root], env=scene.container(build))
    assert scene.tree_of(build) == tree_on_disk(site)
    assert counts.seen == row.promised


@pytest.mark.way("botocore, the oldest")
def test_the_oldest_botocore_uploads_a_tree(
    scene: Scene, site: Path, row: Row, tmp_path: Path
) -> None:
    build = scene.uploader.register(PRODUCT)
    command = [executable("botocore-oldest"), str(UPLOADS / "botocore_tree.py")]
    with scene.counter.counting() as counts:
        run([*command, str(site), build.bucket, build.root], env=scene.process(build, tmp_path))
    assert scene.tree_of(build) == tree_on_disk(site)
    assert counts.seen == row.promised
