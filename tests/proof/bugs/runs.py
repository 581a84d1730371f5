"""Bugs of runs and of what is kept of them: findings that nobody hears of, rows that are lost."""

from tests.proof.bugs.bug import bugs_in

RUN_BUGS = (
    bugs_in(
        "credentials/operations/runs.py",
        "tests/credentials/operations/test_runs.py",
        run_over_a_part_closes_findings=(
            "        if not self._is_whole:\n            return\n",
            "",
        ),
        run_that_broke_off_closes_findings=(
            "            run.close_gone()\n        except BaseException as err:\n",
            "        except BaseException as err:\n            run.close_gone()\n",
        ),
        closed_finding_returns_unnoticed=(
            "        if not row.is_event:\n            row.closed_at = None\n",
            "",
        ),
        worse_finding_stays_acknowledged=(
            "            row.acknowledge()\n        if not row.is_event:",
            "            pass\n        if not row.is_event:",
        ),
        findings_of_stores_are_one=(
            "(self.row.job, self.row.store_id, finding.rule, finding.subject)",
            "(self.row.job, finding.rule, finding.subject)",
        ),
        killed_run_goes_on_for_ever=(
            "        _interrupt(JobRun.objects.of(job, store), now)\n",
            "",
        ),
        what_is_left_out_is_not_said=(
            "                yield from self._store(list(self._summaries()))\n",
            "",
        ),
        warnings_take_the_room_of_errors=(
            "        rule = finding.rule, finding.severity\n",
            '        rule = finding.rule, "error"\n',
        ),
    )
    | bugs_in(
        "credentials/operations/schedule.py",
        "tests/credentials/operations/test_schedule.py",
        second_clock_runs_the_job_again=(
            "yield again is not None and again.is_due(timezone.now())",
            "yield again is not None",
        ),
        pause_of_the_clock_is_one_of_every_job=(
            "return alive is None or now - alive.since >= LATE",
            "return True",
        ),
    )
    | bugs_in(
        "credentials/operations/leases.py",
        "tests/credentials/operations/test_leases.py",
        lease_of_another_is_taken_over=(
            "filter(ended, name=name).update",
            "filter(name=name).update",
        ),
        killed_run_keeps_its_lease=(
            "LEASE_LIFE = timedelta(seconds=120)",
            "LEASE_LIFE = timedelta(days=1)",
        ),
        run_that_lost_its_lease_works_on=(
            "            _thread.interrupt_main(signal.SIGTERM)\n",
            "",
        ),
        lease_of_another_is_renewed=(
            "mine = Lease.objects.filter(name=name, token=token)",
            "mine = Lease.objects.filter(name=name)",
        ),
        lost_lease_is_not_noticed=(
            "            is_mine = renew(name, token, now)\n",
            "            renew(name, token, now)\n",
        ),
    )
    | bugs_in(
        "credentials/operations/retention.py",
        "tests/credentials/operations/test_retention.py",
        rows_are_deleted_without_their_file=(
            "if not path.is_file() or _checksum(path) != export.sha256:",
            "if not path.is_file():",
        ),
        hours_that_were_not_rolled_up_are_pruned=(
            "return counted and min(hour_of(now - older_than), counted)",
            "return counted and hour_of(now - older_than)",
        ),
        killed_export_is_forgotten=(
            "    yield from LedgerExport.objects.undeleted()\n",
            "",
        ),
        policy_of_another_form_is_replaced=(
            "    return rows.filter(policy=remade).update(\n",
            "    return rows.update(\n",
        ),
    )
)
