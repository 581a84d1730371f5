"""`run_clock` with leases that expire after seconds, and audits that take longer than a lease.

Every job's process loads this module, too.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management import execute_from_command_line

from ltdkeeper.management import job_process  # noqa: F401 - sets Django up

from credentials.operations import leases, runs  # isort: skip
from credentials.operations.findings import Finding, Rule  # isort: skip
from ltdkeeper.management.commands import audit_sessions, run_clock  # isort: skip

LEASE_SECONDS = 10
FINDING_SECONDS = 2.0  # there are six


def slowly(**options: Any) -> Iterator[Finding]:
    """What the audit says of sessions without an outcome."""
    for finding in audit_ledger(**options):
        if finding.rule is Rule.STUCK:
            time.sleep(FINDING_SECONDS)
            yield finding


leases.LEASE_LIFE, leases.RENEWAL_SECONDS = timedelta(seconds=LEASE_SECONDS), 1.0
run_clock.LOOK_SECONDS, run_clock.JITTER_SECONDS = 1, 1
runs.AT_A_TIME = 2
audit_ledger, audit_sessions.audit_ledger = audit_sessions.audit_ledger, slowly

if __name__ == "__main__":
    execute_from_command_line(["manage.py", "run_clock"])
