"""Programs and libraries beside boto3 and the AWS CLI, and what of them needs to read objects."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from demo.processes import ROOT
from tests.clients.matrix import Row
from tests.clients.programs import UPLOADS, debians, executable, run
from tests.clients.scene import PRODUCT, SYNCED, Scene
from tests.clients.sites import make_site
from tests.clients.trees import Tree, tree_on_disk
from tests.store.uploader import RegisteredBuild

Command = Callable[[Scene, Path, RegisteredBuild], list[str]]
# The embedded store refuses OpenDAL's request for this name; why was not found out.
REFUSED_NAME = "api/it's (new)!.html"


def target(build: RegisteredBuild) -> str:
    return f"{build.bucket}/{build.root}/"


def aws_2(scene: Scene, site: Path, build: RegisteredBuild) -> list[str]:
    endpoint = ["--endpoint-url", scene.account.store.endpoint_url]
    where = f"s3://{target(build)}"
    return [debians("aws"), *endpoint, "s3", "sync", str(site), where, "--no-progress"]


def recipe(page: str, program: Callable[[], str], without: Sequence[str] = ()) -> Command:
    """The lines of a page, such as rclone.rst, for its program; without some of their options."""

    def command(_scene: Scene, site: Path, build: RegisteredBuild) -> list[str]:
        text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
        lines = dedent(text.partition(".. code-block:: sh\n\n")[2].partition("\n\n")[0])
        for option in without:
            lines = lines.replace(option, "")
        name = page.removesuffix(".rst")
        lines = re.sub(f"^{name} ", f"{program()} ", lines, flags=re.MULTILINE)
        lines = lines.replace("_build/html", str(site))
        variables = [f"bucket={build.bucket}", f"root={build.root}"]
        return ["env", *variables, "sh", "-ec", lines]

    return command


def newest_s5cmd() -> str:
    return executable("binaries", "s5cmd")


def s3cmd(scene: Scene, site: Path, build: RegisteredBuild) -> list[str]:
    store = scene.account.store
    host = store.endpoint_url.removeprefix("http://")
    place = ["--no-ssl", "--host", host, "--host-bucket", host, "--region", store.region]
    return [debians("s3cmd"), *place, "sync", f"{site}/", f"s3://{target(build)}"]


def ruby(_scene: Scene, site: Path, build: RegisteredBuild) -> list[str]:
    script = str(UPLOADS / "ruby_tree.rb")
    return [debians("ruby"), script, str(site), build.bucket, build.root]


def library(name: str, environment: str = "libraries") -> Command:
    def command(_scene: Scene, site: Path, build: RegisteredBuild) -> list[str]:
        script = str(UPLOADS / "libraries.py")
        return [executable(environment), script, name, str(site), build.bucket, build.root]

    return command


def newest_rclone() -> str:
    return executable("binaries", "rclone")


def debians_rclone() -> str:
    return debians("rclone")


UNREAD = ("--s3-no-head", "--s3-no-check-bucket")
WAYS: dict[str, Command] = {
    "AWS CLI v2, sync": aws_2,
    "rclone 1.60, with flags": recipe("rclone.rst", debians_rclone),
    "rclone 1.75, with flags": recipe("rclone.rst", newest_rclone),
    "rclone 1.75": recipe("rclone.rst", newest_rclone, without=UNREAD),
    "s5cmd": recipe("s5cmd.rst", newest_s5cmd),
    "s3cmd": s3cmd,
    "obstore": library("obstore"),
    "OpenDAL": library("opendal"),
    "pyarrow, streams": library("pyarrow_streams"),
    "cloudpathlib": library("cloudpathlib"),
    "fsspec rsync": library("fsspec_rsync", "s3fs"),
    "smart_open": library("smart_open"),
    "SDK for Ruby": ruby,
    "minio-py": library("minio"),
    "boto3 of 2017": library("boto3", "boto3-oldest"),
}


def marked(ways: Mapping[str, Command]) -> list[object]:
    """Each way backs the row of its name."""
    return [
        pytest.param(name, command, marks=pytest.mark.way(name), id=name)
        for name, command in ways.items()
    ]


def credentials(scene: Scene, row: Row, build: RegisteredBuild, folder: Path) -> dict[str, str]:
    """What the row says, as an environment; Go's older SDK reads config files when told to."""
    loaded = {"AWS_SDK_LOAD_CONFIG": "1"}
    if "credential_process" in row.credentials:
        return scene.process(build, folder) | loaded
    if "fetched once" in row.credentials:
        key = scene.uploader.session(build)
        return scene.environment | {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key.reveal(),
            "AWS_SESSION_TOKEN": key.session_token.reveal() if key.session_token else "",
        }
    environment = scene.container(build)
    if "token file" in row.credentials:
        token = folder / "authorization"
        token.write_text(environment.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(token)
    return environment


def digests(tree: Tree) -> dict[str, str]:
    return {name: file.digest for name, file in tree.items()}


@pytest.mark.parametrize(("name", "command"), marked(WAYS))
def test_program_uploads_a_tree(
    name: str, command: Command, scene: Scene, site: Path, row: Row, tmp_path: Path
) -> None:
    if name == "OpenDAL":
        site = make_site(tmp_path / "site", left_out=(REFUSED_NAME,))
    build = scene.uploader.register(SYNCED if row.access == "sync" else PRODUCT)
    with scene.counter.counting() as counts:
        environment = credentials(scene, row, build, tmp_path)
        run(command(scene, site, build), env=environment)
    assert digests(scene.tree_of(build)) == digests(tree_on_disk(site))
    assert counts.seen == row.promised


READERS = {name: WAYS[name] for name in ("rclone 1.75", "cloudpathlib", "fsspec rsync")}


@pytest.mark.parametrize(("name", "command"), marked(READERS))
def test_what_reads_fails_without_sync(
    name: str, command: Command, scene: Scene, site: Path, row: Row, tmp_path: Path
) -> None:
    build = scene.uploader.register(PRODUCT)
    environment = credentials(scene, row, build, tmp_path)
    told = run(command(scene, site, build), env=environment, code=1)
    assert "403" in told or "Forbidden" in told or "AccessDenied" in told, name


@pytest.mark.way("pyarrow, streams")
def test_copying_with_pyarrow_asks_for_the_bucket(
    scene: Scene, site: Path, row: Row, tmp_path: Path
) -> None:
    build = scene.uploader.register(SYNCED)
    command = library("pyarrow_copy_files")(scene, site, build)
    told = run(command, env=credentials(scene, row, build, tmp_path), code=1)
    assert "HeadBucket" in told
