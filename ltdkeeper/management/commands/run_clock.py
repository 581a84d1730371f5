"""`manage.py run_clock`: run the scheduled commands, until stopped."""

import logging
import multiprocessing
import signal
import time
from datetime import datetime, timedelta
from multiprocessing.context import ForkServerProcess
from typing import Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from django.db import Error, connection
from django.utils import timezone

from credentials.operations.recovery import why_restored
from credentials.operations.schedule import ScheduledJob, beat, due_jobs
from ltdkeeper.management import job_process
from ltdkeeper.management.outcomes import SIGNALS, ExitCode, ServiceCommand, not_made

LOOK_SECONDS, JITTER_SECONDS = 5, 2
# How many jobs one clock runs at a time; the others wait for the next look. Jobs whose limit is
# this short do not wait: audits of hours must not hold up revocations.
MOST_AT_ONCE, SHORT = 4, timedelta(minutes=5)
# A job that could not even record a run is not started again before.
AGAIN_AFTER = timedelta(minutes=1)
# When the clock is told to stop, what runs may finish for so long.
FINISH_SECONDS = 15.0

AS_USUAL = {ExitCode.NOTHING_FOUND, ExitCode.FINDINGS, ExitCode.ALREADY_RUNNING}

log = structlog.get_logger(__name__)


class Command(ServiceCommand):
    help = (
        "Run the commands of LTD_SCHEDULE when they are due, each in its own process, "
        "until SIGTERM. Several may run at once: each run is made once."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it says each look
        if why := why_restored():
            raise not_made(why)
        beat(timezone.now())  # or say that the database is away, and end
        connection.close()
        # They come to `sigwait`, and never into the middle of something.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        clock = Clock()
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_job(
            clock.look,
            "interval",
            seconds=LOOK_SECONDS,
            jitter=JITTER_SECONDS,
            next_run_time=timezone.now(),
            coalesce=True,
            misfire_grace_time=None,
        )
        scheduler.start()
        log.info("clock_started")
        signal.sigwait(SIGNALS)
        scheduler.shutdown()
        clock.stop()
        log.info("clock_stopped")


class Clock:
    """The jobs that this process runs at the moment, by name."""

    def __init__(self) -> None:
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload([job_process.__name__])
        self._running: dict[str, ForkServerProcess] = {}
        self._not_before: dict[str, datetime] = {}

    def look(self) -> None:
        """Note what has ended, start what is due, say that a clock is alive."""
        now = timezone.now()
        self._note_ended()
        try:
            beat(now)
            for job in due_jobs(now):
                self._start(job, now)
        except Error as err:
            log.warning("clock_without_database", error=type(err).__name__)
        finally:
            connection.close()

    def _start(self, job: ScheduledJob, now: datetime) -> None:
        is_too_soon = now < self._not_before.get(job.name, now)
        is_full = len(self._running) >= MOST_AT_ONCE and job.job.limit > SHORT
        if job.name in self._running or is_too_soon or is_full:
            return
        self._not_before[job.name] = now + min(AGAIN_AFTER, job.job.interval)
        process = self._processes.Process(target=job_process.run_job, args=(job,), name=job.name)
        process.start()
        self._running[job.name] = process

    def _note_ended(self) -> None:
        for name, process in list(self._running.items()):
            if (code := process.exitcode) is not None:
                tell = log.info if code in AS_USUAL else log.warning
                tell("job_ended", job=name, exit_code=code)
                self._running.pop(name).close()

    def stop(self) -> None:
        """Let what runs finish; then hand it back: its run says that it was interrupted."""
        until = time.monotonic() + FINISH_SECONDS
        for process in self._running.values():
            process.join(max(0.0, until - time.monotonic()))
            process.terminate()
        for process in self._running.values():
            process.join(job_process.GRACE_SECONDS)
            process.kill()
            process.join()
        self._note_ended()
