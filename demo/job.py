"""What a CI job does with the service: register, ask for credentials, upload, finish."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from demo.attempts import PAGE
from demo.keeper import Build, Credentials, Keeper
from demo.site import SiteFile
from demo.store import EmbeddedStore
from demo.upload import upload_site

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, kw_only=True)
class Published:
    """A finished build, the credentials it was uploaded with, and what the service counted."""

    build: Build
    credentials: Credentials
    object_count: int | None
    byte_count: int | None
    upload_seconds: float

    @property
    def secrets(self) -> dict[str, str]:
        """What was handed out for this build and may be kept nowhere."""
        name = f"of build {self.build.slug}"
        return {
            f"the secret key {name}": self.credentials.secret_access_key,
            f"the session token {name}": self.credentials.session_token,
        }


class Job:
    """Publishes with one client's API key."""

    def __init__(self, *, keeper: Keeper, store: EmbeddedStore) -> None:
        self.keeper = keeper
        self.store = store

    def publish_site(self, product: str, files: list[SiteFile]) -> Published:
        return self._publish(
            product, lambda s3, build: upload_site(s3=s3, build=build, files=files)
        )

    def publish_page(self, product: str) -> Published:
        """A build of one page, for others to aim at."""

        def put_page(s3: "S3Client", build: Build) -> None:
            key = f"{build.root}/{PAGE}"
            s3.put_object(Bucket=build.bucket, Key=key, Body=b"<p>Not yours.</p>\n")

        return self._publish(product, put_page)

    def client(self, service: Literal["s3", "sts"], credentials: Credentials) -> Any:
        """Plain boto3 with a session's credentials."""
        return self.store.client(
            service,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
        )

    def _publish(self, product: str, upload: Callable[["S3Client", Build], None]) -> Published:
        build = self.keeper.register_build(product)
        credentials = self.keeper.credentials_for(build)
        started = time.monotonic()
        upload(self.client("s3", credentials), build)
        seconds = time.monotonic() - started
        finished = self.keeper.finish_build(build)
        return Published(
            build=build,
            credentials=credentials,
            object_count=finished["object_count"],
            byte_count=finished["byte_count"],
            upload_seconds=seconds,
        )
