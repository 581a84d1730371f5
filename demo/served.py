"""What `make serve` runs: the service on the embedded store, or on the operator's own."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from demo.environment import STORE_NAME, enter_bare_environment, own_environment
from demo.folder import WorkFolder
from demo.identities import BUCKET
from demo.keeper import Keeper
from demo.service import Service
from demo.stage import CLIENT, PRODUCT, embedded_stage
from demo.store import REGION


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running service, what an uploader must know of it, and whether all of it still runs."""

    service: Service
    uploader: Mapping[str, str]
    is_running: Callable[[], bool]


@contextmanager
def on_embedded_store(*, folder: WorkFolder, port: int) -> Iterator[Served]:
    """Everything fresh: the store remembers nothing, so neither does the database."""
    enter_bare_environment()
    with embedded_stage(folder=folder, port=port) as stage:
        product = _product(stage.service, stage.api_key, store=STORE_NAME)
        print("Checking that the store keeps builds apart ...", flush=True)
        stage.service.manage("check_isolation")  # finds out too that POSTs are taken here
        reader = stage.identities.reader
        uploader = {
            **product,
            "S3_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL": stage.store.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "DEMO_READ_ACCESS_KEY_ID": reader.access_key_id,
            "DEMO_READ_SECRET_ACCESS_KEY": reader.secret_access_key.reveal(),
        }
        yield Served(
            service=stage.service,
            uploader=uploader,
            is_running=lambda: stage.service.is_running() and stage.store.is_running(),
        )


@contextmanager
def on_own_store(*, folder: WorkFolder, port: int) -> Iterator[Served]:
    """The operator's environment, store and database, as production takes them."""
    environment = own_environment(os.environ, port=port)
    with Service(environment, log=folder.service_log) as service:
        api_key = service.new_client(CLIENT)
        service.wait_until_it_answers()
        product = _product(service, api_key, store=environment.get("LTD_STORE_NAME", "default"))
        inside = environment.get("LTD_STORE_ENDPOINT_URL", "")
        uploader = {
            **product,
            "S3_BUCKET": environment["LTD_STORE_BUCKET"],
            "AWS_ENDPOINT_URL": environment.get("LTD_STORE_PUBLIC_ENDPOINT_URL", inside),
            "AWS_DEFAULT_REGION": environment.get("LTD_STORE_REGION", REGION),
        }
        yield Served(service=service, uploader=uploader, is_running=service.is_running)


def _product(service: Service, api_key: str, *, store: str) -> dict[str, str]:
    """Make a product that the client may upload to; what an uploader says to the service."""
    keeper = Keeper(
        service.inside_url, client=CLIENT, api_key=api_key, headers=service.inside_headers
    )
    keeper.create_product(PRODUCT, store=store, title=PRODUCT.title())
    return {
        "LTD_HOST": service.url,
        "LTD_USERNAME": CLIENT,
        "LTD_PASSWORD": api_key,
        "LTD_PRODUCT": PRODUCT,
    }
