"""`make serve`: the service, left running on PORT (default 8000) until Ctrl-C.

With the embedded store, fresh at every start; or, when the environment or `.env` names a store
(LTD_STORE_BUCKET), exactly as production would run, on that environment and its database.
"""

import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from demo.child import ROOT
from demo.env_file import written_env_file
from demo.errors import DemoError, Interrupted
from demo.folder import WorkFolder
from demo.signals import ending_in_order

if TYPE_CHECKING:
    from demo.service import Service

DEFAULT_PORT = 8000
HIGHEST_PORT = 65_535
ADMIN = "admin"
WATCH_SECONDS = 0.5


def main() -> int:
    print("Starting the service; this takes some seconds ...", flush=True)
    folder = WorkFolder("serve")
    try:
        with ending_in_order(), folder.opened():
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
    # These take a second to load, which is too long for a first word.
    import environ  # noqa: PLC0415

    from demo.served import on_embedded_store, on_own_store  # noqa: PLC0415
    from demo.service import require_free_port  # noqa: PLC0415

    environ.Env.read_env(os.environ.get("LTD_ENV_FILE", ROOT / ".env"))
    port = wanted_port(os.environ.get("PORT", ""))
    require_free_port(port)
    is_own = bool(os.environ.get("LTD_STORE_BUCKET"))
    print(f"Store: {os.environ['LTD_STORE_BUCKET'] if is_own else 'embedded'}", flush=True)
    start = on_own_store if is_own else on_embedded_store
    with start(folder=folder, port=port) as served:
        account = _admin_account(served.service)
        with (
            written_env_file(folder.env_file, served.uploader),
            written_env_file(folder.manage_file, operators(served.service.environment)),
        ):
            print(_greeting(served.service, folder, account), flush=True)
            while served.is_running():
                time.sleep(WATCH_SECONDS)
    raise DemoError(f"A server ended by itself; the logs in {folder.run} say why.")


def wanted_port(text: str) -> int:
    """PORT as a number. Raises DemoError."""
    if not text:
        return DEFAULT_PORT
    if text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT:
        return int(text)
    raise DemoError(f"PORT={text} is not a port: a number from 1 to {HIGHEST_PORT}.")


def operators(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the service's environment what management commands need to act on the same."""
    needed = ("LTD_", "AWS_", "DATABASE_URL")
    return {name: value for name, value in environment.items() if name.startswith(needed)}


def _admin_account(service: "Service") -> str:
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


def _greeting(service: "Service", folder: WorkFolder, account: str) -> str:
    return f"""
The service    {service.url}
Its admin      {service.url}/admin/  {account}
Uploaders      . {shlex.quote(str(folder.env_file))}
Commands       . {shlex.quote(str(folder.manage_file))} && .venv/bin/python manage.py help
Its log        {folder.service_log}
Ctrl-C stops everything."""


if __name__ == "__main__":
    sys.exit(main())
