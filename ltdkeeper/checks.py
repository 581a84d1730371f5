"""System checks: what can only be seen wrong once Django has loaded the commands."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.management import CommandError, load_command_class

from credentials.rules.schedule import JOBS, Job


def check_schedule(**_: Any) -> list[CheckMessage]:
    """Each job of LTD_SCHEDULE has the arguments that its command takes."""
    jobs = (job for job in settings.LTD_SCHEDULE if job.arguments or not JOBS[job.command].every)
    return [
        Error(
            f"LTD_SCHEDULE, {' '.join([job.command, *job.arguments])}: {why}", id="ltdkeeper.E001"
        )
        for job in jobs
        if (why := _what_is_wrong(job))
    ]


def _what_is_wrong(job: Job) -> str:
    store = ["STORE"] if job.is_per_store else []
    parser = load_command_class("ltdkeeper", job.command).create_parser("manage.py", job.command)
    try:
        parser.parse_args([*job.arguments, *store])
    except CommandError as err:
        return str(err).removeprefix("Error: ")
    except SystemExit:  # --help and --version
        return "this does no work"
    return ""
