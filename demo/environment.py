"""The environment that the service runs in: production's own, or that of the embedded store."""

import os
import secrets
from collections.abc import Mapping
from urllib.parse import quote

from demo.folder import WorkFolder
from demo.identities import BUCKET, ROLE_ARN, Identities
from demo.store import REGION, EmbeddedStore

STORE_NAME = "embedded"
# What programs need to run at all. Everything else of the user's environment stays outside, so
# that nobody's AWS profile, proxy or .env changes what the demo shows.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


def bare_environment() -> dict[str, str]:
    """The user's environment without anything that configures AWS clients or the service."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def enter_bare_environment() -> None:
    """Make this process's own boto3 and HTTP clients ignore the user's settings too."""
    bare = bare_environment()
    os.environ.clear()
    os.environ.update(bare)


def embedded_environment(
    *, folder: WorkFolder, store: EmbeddedStore, identities: Identities, port: int
) -> dict[str, str]:
    """As in production, but for SQLite and plain HTTP on loopback, with every event logged."""
    return bare_environment() | {
        "LTD_ENV_FILE": os.devnull,
        "LTD_SECRET_KEY": secrets.token_urlsafe(50),
        "LTD_PUBLIC_URL": loopback_url(port),
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "LTD_LOG_LEVEL": "DEBUG",
        "DATABASE_URL": f"sqlite:///{quote(str(folder.database))}",
        "LTD_STORE_NAME": STORE_NAME,
        "LTD_STORE_BUCKET": BUCKET,
        "LTD_STORE_REGION": REGION,
        "LTD_STORE_ENDPOINT_URL": store.endpoint_url,
        "LTD_STORE_ROLE_ARN": ROLE_ARN,
        "LTD_STORE_WITH_SYNC": "true",
        "AWS_ACCESS_KEY_ID": identities.vendor.access_key_id,
        "AWS_SECRET_ACCESS_KEY": identities.vendor.secret_access_key.reveal(),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }


def own_environment(environment: Mapping[str, str], *, port: int) -> dict[str, str]:
    """The operator's environment as it is, on loopback unless it says otherwise."""
    named = {name: value for name, value in environment.items() if value}
    return {
        "HOST": "127.0.0.1",
        "LTD_PUBLIC_URL": loopback_url(port),
        **named,
        "PORT": str(port),
    }


def loopback_url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
