"""Bugs of durations."""

from tests.proof.bugs.bug import bugs_in

TIME_BUGS = (
    bugs_in(
        "credentials/rules/durations.py",
        "tests/credentials/rules/test_durations.py",
        shorter_than_STS_takes=("SESSION_MINIMUM = 900", "SESSION_MINIMUM = 899"),
        refreshing_storm=("REFRESHING_MINIMUM = 1800", "REFRESHING_MINIMUM = 900"),
        beyond_the_role_s_maximum=(
            "if not SESSION_MINIMUM <= asked_seconds <= self.longest:",
            "if not SESSION_MINIMUM <= asked_seconds:",
        ),
    )
    | bugs_in(
        "credentials/operations/findings.py",
        "tests/credentials/operations/test_findings.py",
        long_sessions_go_unseen=(
            "EXPIRY_TOLERANCE = timedelta(minutes=1)",
            "EXPIRY_TOLERANCE = timedelta(hours=1)",
        ),
    )
    | bugs_in(
        "credentials/rules/durations.py",
        "tests/credentials/models/test_sessions.py",
        stuck_rows_go_unseen=(
            "STUCK_AFTER = timedelta(minutes=2)",
            "STUCK_AFTER = timedelta(days=2)",
        ),
    )
    | bugs_in(
        "credentials/operations/figures.py",
        "tests/credentials/operations/test_figures.py",
        hours_are_counted_before_they_close=(
            "hour_of(now - STUCK_AFTER) - first",
            "hour_of(now) - first",
        ),
        hours_are_counted_again=(
            "return max(until, oldest_kept)",
            "return max(until - HOUR, oldest_kept)",
        ),
        counts_have_no_end=("values_list(Value(1))[:most]", "values_list(Value(1))"),
    )
    | bugs_in(
        "credentials/rules/ci_jobs.py",
        "tests/credentials/rules/test_ci_jobs.py",
        run_of_any_issuer_is_at_GitHub=(
            'return f"https://{own_host[1]}.ghe.com" if own_host else ""',
            'return f"https://{own_host[1]}.ghe.com" if own_host else "https://github.com"',
        ),
        repository_climbs_out=(r"(?!\.{1,2}(?:/|\Z))", ""),
    )
    | bugs_in(
        "credentials/rules/log_searches.py",
        "tests/credentials/rules/test_log_searches.py",
        key_id_is_read_as_a_query=("if not _PLAIN.match(access_key_id):", "if not access_key_id:"),
    )
    | bugs_in(
        "ltdkeeper/admin/pages.py",
        "tests/ltdkeeper/admin/test_pages.py",
        rows_of_other_models_are_shown_to_all=("if model is None:", "if True:"),
    )
)
