"""What the lines for one CI step are made of. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from credentials.secret import Secret


class StepDelivery(StrEnum):
    """How SDKs come for credentials: a program they start, or an address they ask."""

    PROCESS = "process"
    CONTAINER = "container"


@dataclass(frozen=True, kw_only=True)
class StorePlace:
    """Where a store is for uploaders. `endpoint_url` is empty on AWS."""

    region: str
    endpoint_url: str = ""
    addressing: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A job token and what it is for. `product_slugs` has at least one; the first leads."""

    host: str
    client_name: str
    token: Secret
    product_slugs: tuple[str, ...]
    store: StorePlace
    delivery: StepDelivery

    @property
    def authorization(self) -> str:
        """The `Authorization` header's value, scheme included."""
        return f"Bearer {self.token.reveal()}"

    def credentials_url(self, product_slug: str) -> str:
        """Where SDKs come for credentials for the job's open build of a product."""
        return f"{self.host}/credentials?product={product_slug}&delivery={self.delivery}"
