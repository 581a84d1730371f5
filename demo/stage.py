"""The set-up that `play` and `serve` share: the embedded store and the service on top of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.environment import embedded_environment
from demo.folder import WorkFolder
from demo.identities import Identities, apply_identities
from demo.service import Service
from demo.store import EmbeddedStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CLIENT = "demo"
PRODUCT = "handbook"
OTHER_PRODUCT = "payroll"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that is running, and the folder it writes to."""

    folder: WorkFolder
    store: EmbeddedStore
    identities: Identities
    service: Service
    api_key: str = field(repr=False)

    @property
    def secrets(self) -> dict[str, str]:
        """What was handed out so far, and what the service was given: none may be kept."""
        return {
            "the API key": self.api_key,
            "the vendor's secret key": self.identities.vendor.secret_access_key.reveal(),
        }

    def reader_client(self) -> "S3Client":
        """S3 with the key that only reads the demo's bucket."""
        key = self.identities.reader
        client: S3Client = self.store.client(
            "s3",
            access_key_id=key.access_key_id,
            secret_access_key=key.secret_access_key.reveal(),
        )
        return client


@contextmanager
def embedded_stage(*, folder: WorkFolder, port: int) -> Iterator[Stage]:
    """A fresh store and a fresh service; both are stopped at the end, whatever ends it."""
    with EmbeddedStore(log=folder.store_log) as store:
        identities = apply_identities(store=store)
        environment = embedded_environment(
            folder=folder, store=store, identities=identities, port=port
        )
        with Service(environment, log=folder.service_log) as service:
            # Another process that takes a second to start: meanwhile, the web server does.
            api_key = service.new_client(CLIENT)
            service.wait_until_it_answers()
            yield Stage(
                folder=folder,
                store=store,
                identities=identities,
                service=service,
                api_key=api_key,
            )
