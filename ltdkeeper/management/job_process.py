"""The process that a clock starts for one run of a job.

It is forked from a server that has loaded this module, with Django and all jobs, and nothing else:
so a run costs milliseconds of processor and not the second that loading takes.
"""

import faulthandler
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

import django
import structlog
from django.apps import apps
from django.core.management import execute_from_command_line
from django.db import Error

if not apps.ready:  # as in the server
    django.setup()

from credentials.errors import AlreadyRunning
from credentials.operations.schedule import ScheduledJob, turn
from credentials.rules.schedule import JOBS
from ltdkeeper.management.outcomes import SIGNALS, ExitCode

for name in JOBS:
    import_module(f"ltdkeeper.management.commands.{name}")

# What a run that is broken off may take to say so.
GRACE_SECONDS = 10

log = structlog.get_logger(__name__)


def run_job(job: ScheduledJob) -> None:
    """Run a job's command, if it is still due now that no other clock can start it.

    What it prints is dropped: the run and its findings are rows. A run over its limit is ended as
    by SIGTERM, and where that does not help, without further ado but for a traceback: also if the
    clock is gone.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    limit = int(job.job.limit.total_seconds())
    faulthandler.dump_traceback_later(limit + GRACE_SECONDS, exit=True)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.alarm(limit)
    with Path(os.devnull).open("w") as sys.stdout:
        try:
            with turn(job) as is_due:
                if is_due:
                    execute_from_command_line(["manage.py", *job.arguments, "--skip-checks"])
        except AlreadyRunning:
            sys.exit(ExitCode.ALREADY_RUNNING)
        except Error as err:
            log.warning("job_without_database", job=job.name, error=type(err).__name__)
            sys.exit(ExitCode.NOT_MADE)
