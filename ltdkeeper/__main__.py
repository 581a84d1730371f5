"""The command line: `manage.py` in a clone, `ltdkeeper` where a wheel is installed."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import Error

from ltdkeeper.databases import trouble_with
from ltdkeeper.environment import SettingsError, end_with


def main(arguments: list[str] | None = None) -> None:
    """Run a command. Invalid settings or an unreachable database are lines, not tracebacks."""
    arguments = arguments or sys.argv
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ltdkeeper.settings")
    # Only web processes count together: a file for each run of each command would be too many.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    import prometheus_client  # noqa: F401, PLC0415 - decides by it, before .env may set it again

    try:
        execute_from_command_line(arguments)
    except SettingsError as err:
        end_with(str(err))
    except Error as err:
        line = trouble_with(err)
        if line is None or "--traceback" in arguments:
            raise
        end_with(line)


if __name__ == "__main__":
    main()
