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
)
