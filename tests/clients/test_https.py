"""Container credentials over https, under a name that is not loopback, with a private CA.

On http and loopback everything works, and then fails where users are.
"""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from demo.service import free_port
from tests.clients.matrix import Row
from tests.clients.programs import FOLDER, UPLOADS, executable, run
from tests.clients.relay import Relay
from tests.clients.scene import CLIENT, PRODUCT, Scene, running_scene
from tests.clients.trees import tree_on_disk
from tests.store.stage import Account
from tests.store.uploader import RegisteredBuild

NAME = "keeper.docs.example"
BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, kw_only=True)
class PublicScene:
    """The service behind TLS, under its public name, and the bundle that vouches for it."""

    scene: Scene
    bundle: Path

    def container(self, build: RegisteredBuild, *modules: str) -> dict[str, str]:
        """Container variables, in a process that finds the name, and these modules first."""
        path = [str(FOLDER / name) for name in ("private_name", *modules)]
        return self.scene.container(build) | {
            "MAPPED_NAME": NAME,
            "PRIVATE_CA": str(self.bundle),
            "PYTHONPATH": os.pathsep.join(path),
        }


@pytest.fixture(scope="module")
def public(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicScene]:
    folder = tmp_path_factory.mktemp("public")
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(tls)
    with Relay(port, tls=tls) as relay:
        settings = {"PORT": str(port), "LTD_PUBLIC_URL": f"https://{NAME}:{relay.port}"}
        with running_scene(account, folder, **settings) as scene:
            yield PublicScene(scene=scene, bundle=folder / "ca.pem")


def upload_command(program: str, script: str, site: Path, build: RegisteredBuild) -> list[str]:
    assert build.url.startswith(f"https://{NAME}:")
    return [executable(program), str(UPLOADS / script), str(site), build.bucket, build.root]


@pytest.mark.way("boto3, over https")
def test_boto3_fetches_over_https(public: PublicScene, site: Path, row: Row) -> None:
    build = public.scene.uploader.register(PRODUCT)
    command = upload_command("boto3", "boto3_tree.py", site, build)
    with public.scene.counter.counting() as counts:
        run(command, env=public.container(build, "private_ca"))
    assert public.scene.tree_of(build) == tree_on_disk(site)
    assert counts.seen == row.promised


@pytest.mark.way("boto3, over https")
def test_variables_do_not_bring_a_private_ca(public: PublicScene, site: Path) -> None:
    build = public.scene.uploader.register(PRODUCT)
    bundles = dict.fromkeys(BUNDLES, str(public.bundle))
    command = upload_command("boto3", "boto3_tree.py", site, build)
    with public.scene.counter.counting() as counts:
        told = run(command, env=public.container(build) | bundles, code=1)
    assert "certificate verify failed" in told
    assert counts.seen == (0, [], 0)


@pytest.mark.way("boto3, over https")
def test_old_botocore_takes_no_name(public: PublicScene, site: Path) -> None:
    build = public.scene.uploader.register(PRODUCT)
    command = upload_command("botocore-oldest", "botocore_tree.py", site, build)
    told = run(command, env=public.container(build, "private_ca"), code=1)
    assert f"Unsupported host '{NAME}'" in told


@pytest.mark.way("ltd upload, 0.8")
@pytest.mark.parametrize("program", ["ltd-conveyor-0.4", "ltd-conveyor"])
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "not named"])
def test_ltd_uploaders_take_a_private_ca_from_a_variable(
    program: str, *, is_named: bool, public: PublicScene, site: Path
) -> None:
    """Without it no call gets through; with it the service says that the product is unknown."""
    environment = public.scene.environment | {
        "MAPPED_NAME": NAME,
        "PYTHONPATH": str(FOLDER / "private_name"),
        "LTD_HOST": public.scene.service.url,
        "LTD_USERNAME": CLIENT,
        "LTD_PASSWORD": public.scene.api_key,
        "LTD_AWS_ID": "none",
        "LTD_AWS_SECRET": "none",
    }
    if is_named:
        environment["REQUESTS_CA_BUNDLE"] = str(public.bundle)
    what = ["--product", "nothing", "--git-ref", "main", "--dir", str(site)]
    command = [executable(program, "ltd"), "upload", *what]
    with public.scene.counter.counting() as counts:
        told = run(command, env=environment, code=1)
    assert ("CERTIFICATE_VERIFY_FAILED" in told) == (not is_named)
    assert bool(counts.calls) == is_named
