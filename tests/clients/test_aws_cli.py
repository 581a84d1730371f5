"""The AWS CLI: sync, which looks before it writes, and cp, which does not."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.clients.jobs import begin_job
from tests.clients.matrix import Row
from tests.clients.programs import debians, executable, run
from tests.clients.scene import PRODUCT, SYNCED, Scene
from tests.clients.trees import tree_on_disk
from tests.store.uploader import RegisteredBuild, Uploader


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


OTHER = f"ltd-{SYNCED}"
# Version 2 takes AWS_DEFAULT_PROFILE only where AWS_PROFILE is not set.
CHOICES = {
    "1, AWS_PROFILE": (1, {"AWS_PROFILE": OTHER}, ()),
    "1, AWS_DEFAULT_PROFILE": (1, {"AWS_DEFAULT_PROFILE": OTHER}, ()),
    "1, --profile": (1, {}, ("--profile", OTHER)),
    "2, AWS_PROFILE": (2, {"AWS_PROFILE": OTHER}, ()),
    "2, --profile": (2, {}, ("--profile", OTHER)),
}


@pytest.mark.parametrize(("version", "variables", "options"), CHOICES.values(), ids=CHOICES)
def test_job_chooses_another_product(
    scene: Scene,
    site: Path,
    tmp_path: Path,
    version: int,
    variables: Mapping[str, str],
    options: Sequence[str],
) -> None:
    """The first product's credentials do not reach the second one's build."""
    job = begin_job(scene, PRODUCT, tmp_path, more=f"&product={SYNCED}")
    own = Uploader(scene.uploader.url, api_key=job["LTD_PASSWORD"], store=scene.account.row.name)
    first, second = own.register(PRODUCT), own.register(SYNCED)
    own.close()
    target = f"s3://{second.bucket}/{second.root}/"
    aws = executable("aws-cli", "aws") if version == 1 else debians("aws")
    command = [aws, "--endpoint-url", job["AWS_ENDPOINT_URL"], *options]
    run([*command, "s3", "cp", str(site / "index.html"), target], env=job | variables)
    assert (list(scene.tree_of(first)), list(scene.tree_of(second))) == ([], ["index.html"])
