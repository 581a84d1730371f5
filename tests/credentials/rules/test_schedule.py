"""When a job is due and when it is overdue, and how the setting changes the table of jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from credentials.rules.schedule import JOBS, Job, LastRun, is_due, is_overdue, parse_schedule

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY, MINUTELY, QUICK = (
    Job(command="audit", every=every, limit=HOUR) for every in (DAY, MINUTE, 10 * SECOND)
)


def run(ago: timedelta, outcome: str, length: timedelta | None = SECOND) -> LastRun:
    began = NOW - ago
    return LastRun(
        started_at=began,
        ended_at=began + length if length is not None else None,
        has_finished=outcome == "finished",
        has_failed=outcome == "failed",
    )


# What ran last, of which job, how long ago at the least for it to run again.
PAUSES = {
    "finished": (DAILY, "finished", SECOND, DAY),
    "finished, of every minute": (MINUTELY, "finished", SECOND, MINUTE),
    "failed": (DAILY, "failed", SECOND, 2 * HOUR),
    "failed, of every minute": (MINUTELY, "failed", SECOND, MINUTE),
    "failed, of every ten seconds": (QUICK, "failed", SECOND, 10 * SECOND),
    "broken off": (DAILY, "interrupted", HOUR - SECOND, MINUTE),
    "broken off at its limit": (DAILY, "interrupted", HOUR, 2 * HOUR),
    "broken off, of every ten seconds": (QUICK, "interrupted", SECOND, 10 * SECOND),
    "killed": (DAILY, "running", None, MINUTE),
}


def test_job_is_due_after_a_pause_that_depends_on_how_its_last_run_ended() -> None:
    for case, (job, outcome, length, pause) in PAUSES.items():
        assert is_due(job, run(pause, outcome, length), NOW), case
        assert not is_due(job, run(pause - SECOND, outcome, length), NOW), case


def test_job_is_due_after_the_clock_was_set_back() -> None:
    assert is_due(DAILY, run(-2 * MINUTE, "finished", SECOND), NOW)
    assert not is_due(DAILY, run(-MINUTE, "finished", SECOND), NOW)


def test_job_that_never_ran_is_due() -> None:
    assert is_due(DAILY, None, NOW)


# Of which job, when the last run that finished began, since when a clock runs.
OVERDUE = {
    "three intervals": (DAILY, 3 * DAY, None, False),
    "more than three intervals": (DAILY, 3 * DAY + SECOND, None, True),
    "ten minutes of every minute": (MINUTELY, 10 * MINUTE, None, False),
    "more than ten minutes": (MINUTELY, 10 * MINUTE + SECOND, None, True),
    "never, and no clock": (DAILY, None, None, False),
    "never, and a young clock": (DAILY, None, 3 * DAY, False),
    "never, and an old clock": (DAILY, None, 4 * DAY, True),
    "lately, and an old clock": (DAILY, HOUR, 9 * DAY, False),
    "long ago, and a young clock": (DAILY, 9 * DAY, HOUR, True),
}


def test_job_is_overdue_after_three_intervals_and_ten_minutes() -> None:
    for case, (job, finished, watched, overdue) in OVERDUE.items():
        found = is_overdue(
            job,
            finished=finished and NOW - finished,
            watched_since=watched and NOW - watched,
            now=NOW,
        )
        assert found is overdue, case


def parsed(text: str) -> dict[str, Job]:
    return {job.command: job for job in parse_schedule(text)}


def test_jobs_that_need_arguments_run_only_where_they_are_scheduled() -> None:
    usual = {name for name, job in JOBS.items() if job.every}
    assert set(parsed("")) == usual
    assert "audit_sessions" in usual
    assert {"purge_builds", "prune_sessions"}.isdisjoint(usual)
    assert {job.command for job in parse_schedule("", without=["roll_up"])} == usual - {"roll_up"}
    assert "roll_up" in {job.command for job in parse_schedule("roll_up=1h", without=["roll_up"])}


def test_setting_changes_interval_and_arguments_and_takes_jobs_out() -> None:
    jobs = parsed("roll_up=off, audit_sessions --grace '0'=90s,, purge_builds --apply=2d,")
    assert "roll_up" not in jobs
    assert jobs["audit_sessions"].every == 90 * SECOND
    assert jobs["audit_sessions"].arguments == ("--grace", "0")
    assert jobs["purge_builds"].interval == 2 * DAY
    assert jobs["purge_builds"].limit == JOBS["purge_builds"].limit
    assert jobs["write_revocations"] == JOBS["write_revocations"]


INTERVALS = {"10s": 10 * SECOND, "59m": 59 * MINUTE, "720h": 30 * DAY, "30d": 30 * DAY}


def test_interval_has_a_unit() -> None:
    for text, expected in INTERVALS.items():
        assert parsed(f"purge_builds=off,roll_up={text}")["roll_up"].every == expected, text


NO_INTERVAL = "is neither off nor an interval from 10s to 30d, such as 90s, 5m, 6h or 1d"
REFUSED = {
    "roll_up": f"nothing {NO_INTERVAL}",
    "=1h": f"=1h is no job: there are {', '.join(JOBS)}",
    "rollup --x=1h": f"rollup is no job: there are {', '.join(JOBS)}",
    "roll_up=1h,roll_up=2h": "roll_up is named twice",
    "purge_builds=off,purge_builds=1d": "purge_builds is named twice",
    **{f"roll_up={text}": f"{text} {NO_INTERVAL}" for text in ("9s", "31d", "1", "1w", "01h", "x")},
    **{f"roll_up={text}": f"{text} {NO_INTERVAL}" for text in ("-1h", "1hh", "٣h", "off2")},
    "roll_up '=1h": "No closing quotation",
}


def test_wrong_schedule_is_refused_with_what_is_wrong() -> None:
    for text, expected in REFUSED.items():
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - the sentence is compared
            parse_schedule(text)
        assert str(refused.value).strip() == expected.strip(), text


def test_run_that_is_not_scheduled_counts_as_daily() -> None:
    assert JOBS["purge_builds"].interval == DAY
    assert JOBS["roll_up"].interval == HOUR
