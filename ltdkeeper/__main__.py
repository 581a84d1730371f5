"""The command line: `manage.py` in a clone, `ltdkeeper` where a wheel is installed."""

import os
import sys
import traceback

from django.core.management import execute_from_command_line, get_commands
from django.db import Error

from ltdkeeper.databases import trouble_with
from ltdkeeper.environment import COULD_NOT_BE_MADE, SettingsError, end_with


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Invalid settings or an unreachable database are lines, not tracebacks.

    A command of Django's ends with 3 when it fails: 1 means a finding, which is no failure.
    """
    arguments = arguments or sys.argv
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ltdkeeper.settings")
    # Only web processes count together: a file for each run of each command would be too many.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    import prometheus_client  # noqa: F401, PLC0415 - decides by it, before .env may set it again

    try:
        execute_from_command_line(arguments)
    except SettingsError as err:
        end_with(str(err))
    except SystemExit as err:
        sys.exit(COULD_NOT_BE_MADE if err.code == 1 and not _is_ours(arguments) else err.code)
    except Exception as err:  # noqa: BLE001 - Python's own exit code for it would mean a finding
        line = trouble_with(err) if isinstance(err, Error) else None
        end_with(line if line and "--traceback" not in arguments else traceback.format_exc())


def _is_ours(arguments: list[str]) -> bool:
    return get_commands().get("".join(arguments[1:2])) == "ltdkeeper"


if __name__ == "__main__":
    main()
