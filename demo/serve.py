"""`make serve`: the service, left running on PORT (default 8000) until Ctrl-C.

With the embedded store, fresh at every start; or, when the environment or `.env` names a store
(LTD_STORE_BUCKET), exactly as production would run, on that environment and its database.
"""

import logging
import os
import secrets
import shlex
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import environ

from demo.job import PRODUCT, Keeper
from demo.processes import (
    ROOT,
    DemoError,
    Interrupted,
    WorkFolder,
    enter_bare_environment,
    environment_file,
    orderly_end,
    private_file,
)
from demo.service import CLIENT, STORE_NAME, Service, embedded_service, loopback_url
from demo.store import BUCKET, REGION

DEFAULT_PORT = 8000
HIGHEST_PORT = 65_535
ADMIN = "admin"
WATCH_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running service, what an uploader must know of it, and whether all of it still runs.

    `operator` is what commands need besides the service's environment, with the `profiles` of an
    AWS credentials file.
    """

    service: Service
    uploader: Mapping[str, str]
    operator: Mapping[str, str] = field(default_factory=dict)
    profiles: Sequence[str] = ()
    is_running: Callable[[], bool]


def main() -> int:
    folder = WorkFolder("serve")
    try:
        with orderly_end(), folder.opened():
            serve(folder=folder)
    except DemoError as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\nStopped.", file=sys.stderr)
        # Ctrl-C is how this ends when all is well.
        return 0 if interrupted.exit_code == 128 + signal.SIGINT else interrupted.exit_code
    return 0


def serve(*, folder: WorkFolder) -> None:
    """Run until interrupted. Raises DemoError when something cannot start, or ends by itself."""
    # Of wrong lines it would show all; the service names them without what may be secret.
    logging.getLogger(environ.environ.__name__).setLevel(logging.ERROR)
    environ.Env.read_env(os.environ.get("LTD_ENV_FILE", ROOT / ".env"), encoding="utf-8-sig")
    port = wanted_port(os.environ.get("PORT", ""))
    require_free_port(port)
    is_own = bool(os.environ.get("LTD_STORE_BUCKET"))
    store = os.environ["LTD_STORE_BUCKET"] if is_own else STORE_NAME
    print(f"Starting the service with the store {store}; this takes some seconds ...", flush=True)
    start = on_own_store if is_own else on_embedded_store
    with start(folder=folder, port=port) as served:
        account = _admin_account(served.service)
        with (
            environment_file(folder.env_file, served.uploader),
            environment_file(folder.manage_file, operators(served)),
            private_file(folder.profiles_file, served.profiles),
        ):
            print(_greeting(served.service, folder, account), flush=True)
            while served.is_running():
                time.sleep(WATCH_SECONDS)
    raise DemoError(f"A server ended by itself; the logs in {folder.run} say why.")


@contextmanager
def on_embedded_store(*, folder: WorkFolder, port: int) -> Iterator[Served]:
    """Everything fresh: the store remembers nothing, so neither does the database."""
    enter_bare_environment()
    with embedded_service(folder=folder, port=port) as embedded:
        product = _product(embedded.service, embedded.api_key, store=STORE_NAME)
        print("Checking that the store keeps builds apart ...", flush=True)
        embedded.service.manage("check_isolation")  # finds out too that POSTs are taken here
        uploader = {
            **product,
            "S3_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL": embedded.store.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "DEMO_READ_ACCESS_KEY_ID": embedded.reader.access_key_id,
            "DEMO_READ_SECRET_ACCESS_KEY": embedded.reader.secret_access_key,
        }
        who = {"auditor": embedded.auditor, "revoker": embedded.revoker}
        yield Served(
            service=embedded.service,
            uploader=uploader,
            operator={
                "AWS_SHARED_CREDENTIALS_FILE": str(folder.profiles_file),
                **{f"LTD_{name.upper()}_PROFILE": name for name in who},
            },
            profiles=[line for name, key in who.items() for line in key.profile(name)],
            is_running=embedded.is_running,
        )


@contextmanager
def on_own_store(*, folder: WorkFolder, port: int) -> Iterator[Served]:
    """The operator's environment, store and database, on loopback unless it says otherwise."""
    named = {name: value for name, value in os.environ.items() if value}
    defaults = {"HOST": "127.0.0.1", "LTD_PUBLIC_URL": loopback_url(port)}
    environment = defaults | named | {"PORT": str(port)}
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


def wanted_port(text: str) -> int:
    """PORT as a number. Raises DemoError."""
    if not text:
        return DEFAULT_PORT
    if text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT:
        return int(text)
    raise DemoError(f"PORT={text} is not a port: a number from 1 to {HIGHEST_PORT}.")


def require_free_port(port: int) -> None:
    """Raises DemoError when something listens on a loopback port already."""
    with socket.socket() as probe:
        # As servers do: addresses that only wait for late packets count as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} cannot be used: {error.strerror}. Try another: PORT=8001 make serve"
            ) from None


def operators(served: Served) -> dict[str, str]:
    """What management commands need to act on the same."""
    needed, environment = ("LTD_", "AWS_", "DATABASE_URL"), served.service.environment
    inside = {name: value for name, value in environment.items() if name.startswith(needed)}
    return inside | dict(served.operator)


def _product(service: Service, api_key: str, *, store: str) -> dict[str, str]:
    """Make a product that the client may upload to; what an uploader says to the service."""
    keeper = Keeper(
        service.inside_url, client=CLIENT, api_key=api_key, headers=service.inside_headers
    )
    keeper.create_product(store=store)
    return {
        "LTD_HOST": service.url,
        "LTD_USERNAME": CLIENT,
        "LTD_PASSWORD": api_key,
        "LTD_PRODUCT": PRODUCT,
    }


def _admin_account(service: Service) -> str:
    """Make an administrator with a new password, unless there is one of that name; what to say."""
    password = secrets.token_urlsafe(12)
    account = {
        "DJANGO_SUPERUSER_USERNAME": ADMIN,
        "DJANGO_SUPERUSER_EMAIL": "admin@localhost",
        "DJANGO_SUPERUSER_PASSWORD": password,
    }
    try:
        service.manage("createsuperuser", "--noinput", environment=account)
    except DemoError as error:
        if "already taken" not in str(error):
            raise
        return f"user {ADMIN}, with the password it has"
    return f"user {ADMIN}, password {password} (shown once)"


def _greeting(service: Service, folder: WorkFolder, account: str) -> str:
    return f"""
The service    {service.url}
Its admin      {service.url}/admin/  {account}
Uploaders      . {shlex.quote(str(folder.env_file))}
Commands       . {shlex.quote(str(folder.manage_file))} && .venv/bin/python manage.py help
Its log        {folder.service_log}
Ctrl-C stops everything."""


if __name__ == "__main__":
    sys.exit(main())
