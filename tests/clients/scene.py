"""The real service in front of an enforcing store, and CI jobs that upload with programs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from demo.processes import ROOT
from demo.service import Service
from tests.clients.counts import ASSUME_ROLE, Counter
from tests.clients.programs import client_environment
from tests.clients.relay import Relay
from tests.clients.trees import Tree, stored_tree
from tests.store.stage import Account, allow_sync, service_for
from tests.store.uploader import RegisteredBuild, Uploader, build_in

KEEPER_SCRIPT = ROOT / "docs" / "examples" / "keeper.sh"
CLIENT = "ci"
PRODUCT, SYNCED = "handbook", "mirror"
# AWS answers `binary/octet-stream`.
DEFAULT_TYPES = {"ministack": "application/octet-stream"}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A running service with a client, a product to upload to, and one that may be synced."""

    account: Account
    service: Service
    uploader: Uploader
    api_key: str
    counter: Counter
    home: Path

    @property
    def default_type(self) -> str:
        """What this store says of a file that was put without a word on what it is."""
        return DEFAULT_TYPES.get(self.account.store.kind, "binary/octet-stream")

    @property
    def environment(self) -> dict[str, str]:
        """What every program has around it, without credentials."""
        store = self.account.store
        return client_environment(self.home, endpoint_url=store.endpoint_url, region=store.region)

    def container(self, build: RegisteredBuild) -> dict[str, str]:
        """The same, with the address of a build's credentials, as docs/how-to/upload.rst has it."""
        return self.environment | {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{build.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": f"Bearer {self.api_key}",
        }

    def process(self, build: RegisteredBuild, folder: Path) -> dict[str, str]:
        """The same, with a profile that has `credential_process`: docs/how-to/upload.rst."""
        curl = self.write_curl_config(folder)
        config = folder / "aws-config"
        config.write_text(
            "[profile docs]\n"
            f"region = {self.account.store.region}\n"
            f"credential_process = sh {KEEPER_SCRIPT} -K {curl}"
            f' "{build.url}/credentials?delivery=process"\n'
        )
        return self.environment | {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "docs"}

    def write_curl_config(self, folder: Path) -> Path:
        """`keeper.curl` of docs/how-to/upload.rst."""
        file = folder / "keeper.curl"
        header = 'header = "Content-Type: application/json"'
        file.write_text(f'user = "{CLIENT}:{self.api_key}"\n{header}\n')
        return file

    def tree_of(self, build: RegisteredBuild) -> Tree:
        """What arrived, read with the operator's key."""
        return self.tree_below(build.bucket, build.root)

    def tree_below(self, bucket: str, root: str) -> Tree:
        return stored_tree(self.account.admin, bucket=bucket, root=root)

    def head(self, build: RegisteredBuild, name: str) -> dict[str, Any]:
        """The headers of one object, whose key is the root and then `name`."""
        where = {"Bucket": build.bucket, "Key": f"{build.root}{name}"}
        headers: dict[str, Any] = self.account.admin.head_object(**where)
        return headers

    def newest_build(self, product: str) -> tuple[RegisteredBuild, dict[str, Any]]:
        """The build that a program has registered, and all that the service says of it."""
        urls = self.uploader.call("GET", f"/products/{product}/builds/?page_size=1").json()
        told = self.uploader.call("GET", urls["builds"][0]).json()
        return build_in(told), told


@contextmanager
def running_scene(account: Account, folder: Path, **settings: str) -> Iterator[Scene]:
    """Start the service, with one server process so that counts are exact, and a relay to STS."""
    store_port = urlsplit(account.store.endpoint_url).port or 0
    with Relay(store_port, watched=ASSUME_ROLE) as relay:
        environment = {
            "LTD_STORE_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}",
            "LTD_STORE_PUBLIC_ENDPOINT_URL": account.store.endpoint_url,
            "LTD_WEB_WORKERS": "1",
            **settings,
        }
        with scene_with(account, folder, relay, **environment) as scene:
            scene.uploader.create_product(SYNCED)
            allow_sync(folder, product=SYNCED)
            yield scene


@contextmanager
def scene_with(account: Account, folder: Path, relay: Relay, **settings: str) -> Iterator[Scene]:
    """Start the service with these settings, for a client that has a product."""
    with ExitStack() as stack:
        service = stack.enter_context(service_for(account, folder, **settings))
        api_key = service.new_client(CLIENT)  # while the web server starts
        service.wait_until_it_answers()
        uploader = Uploader(service.inside_url, api_key=api_key, store=account.row.name)
        stack.callback(uploader.close)
        uploader.create_product(PRODUCT)
        home = folder / "home"
        home.mkdir()
        yield Scene(
            account=account,
            service=service,
            uploader=uploader,
            api_key=api_key,
            counter=Counter(folder=folder, log=service.log, relay=relay),
            home=home,
        )
