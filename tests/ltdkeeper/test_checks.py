"""Arguments in LTD_SCHEDULE that a command does not take let nothing start."""

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from credentials.rules.schedule import parse_schedule

WRONG = {
    "audit_cloudtrail --athena=1d": r"--athena: expected one argument",
    "purge_builds --apply=1d": r"required: --deleted-before",
    "purge_builds --deleted-before soon=1d": r"--deleted-before soon: .*'soon' is neither a day",
    "roll_up --help=1h": r"roll_up --help: this does no work",
    "purge_builds --deleted-before 30=1d": r"--deleted-before 30: this changes nothing",
    "prune_sessions --older-than 400d --dry-run=1d": r"--dry-run: this changes nothing",
    "write_revocations --store main=5m": r"--store main: the job writes every store",
    "audit_bucket main=1d": r"audit_bucket main: unrecognized arguments: STORE",
}


def test_wrong_argument_of_a_job_is_said_at_start(settings: Any) -> None:
    for schedule, said in WRONG.items():
        settings.LTD_SCHEDULE = parse_schedule(schedule)
        with pytest.raises(SystemCheckError, match=said):
            call_command("findings", skip_checks=False)  # as any command, run_clock among them


def test_right_arguments_are_accepted(settings: Any) -> None:
    calls = "audit_cloudtrail s3://logs/AWSLogs/=1h, audit_bucket --jobs 2=1d, roll_up=2h"
    settings.LTD_SCHEDULE = parse_schedule(calls)
    call_command("check", fail_level="ERROR")
