"""How a finding is reported to people, and when the ledger breaks a rule, to the second."""

from datetime import UTC, datetime, timedelta

from credentials.operations.findings import (
    WIDTH,
    Finding,
    Rule,
    Severity,
    count,
    finding_lines,
    indented,
    is_too_long,
    is_unused,
    is_unusual,
    outlives_its_build,
)

COMMAND = "manage.py bootstrap_store --store main --apply"
FINDING = Finding(
    rule="trust.differs", what="What. " * 30, why="Because.", change=f"Do this:\n{COMMAND}"
)
WARNING = Finding(rule="a.b", what="One.", change="Two.", severity=Severity.WARNING)


def test_finding_says_what_why_and_what_to_change() -> None:
    lines = list(finding_lines(FINDING))
    assert lines[0] == "    error trust.differs"
    assert lines[-3:] == [
        "        Why: Because.",
        "        Change: Do this:",
        f"{' ' * 12}{COMMAND}",
    ]
    assert "".join(line.strip() + " " for line in lines[1:-3]) == FINDING.what
    assert WIDTH - 6 <= len(lines[1]) <= WIDTH
    assert {line[:9] for line in lines[1:-3]} == {" " * 8 + "W"}


def test_change_that_is_known_is_not_repeated() -> None:
    lines = list(finding_lines(FINDING, is_change_known=True))
    assert lines[-1] == "        Change: The same."


def test_statement_of_a_policy_stays_in_one_piece() -> None:
    long = "+ " + "x y " * WIDTH
    assert list(indented(f"Short.\n{long}", " ")) == [" Short.", f"     {long}"]


def test_word_is_not_broken() -> None:
    word = "arn:aws:iam::123456789012:role/" + "x-" * WIDTH
    assert list(indented(word)) == [f"        {word}"]


def test_message_is_one_line() -> None:
    assert WARNING.message == "One. Two."
    assert Finding(rule="a.b", what="One.", change="").message == "One."


def test_findings_are_counted_by_severity() -> None:
    found = [FINDING, WARNING, FINDING]
    assert (count(found, Severity.ERROR), count(found, Severity.WARNING)) == (2, 1)


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

# seconds it lives, the longest allowed -> finding
LENGTHS = {
    "shorter": (900, 1800, False),
    "as long": (1800, 1800, False),
    "the store's clock is a minute ahead": (1860, 1800, False),
    "a second over that": (1861, 1800, True),
    "hours": (43_200, 1800, True),
}


def test_session_is_too_long_beyond_today_s_longest() -> None:
    for case, (seconds, longest, expected) in LENGTHS.items():
        expires_at = NOW + timedelta(seconds=seconds)
        found = is_too_long(requested_at=NOW, expires_at=expires_at, longest_seconds=longest)
        assert found is expected, case


# seconds since the build closed (None: open), grace -> finding
CLOSED = {
    "open": (None, 0, False),
    "closed this moment": (0, 0, True),
    "closed a while ago": (60, 0, True),
    "within the grace": (59, 60, False),
    "grace over": (60, 60, True),
}


def test_session_outlives_its_build_after_the_grace() -> None:
    for case, (ago, grace, expected) in CLOSED.items():
        closed_at = None if ago is None else NOW - timedelta(seconds=ago)
        found = outlives_its_build(closed_at=closed_at, now=NOW, grace=timedelta(seconds=grace))
        assert found is expected, case


# seconds beyond 90 days since it was made, since it was used (None: never) -> finding
UNUSED = {
    "made just now": (-90 * 86_400, None, False),
    "made 90 days ago": (0, None, False),
    "made a second before that": (1, None, True),
    "old, used 90 days ago": (10**6, 0, False),
    "old, used a second before that": (10**6, 1, True),
    "old, used just now": (10**6, -90 * 86_400, False),
}


def test_key_is_unused_after_90_days() -> None:
    for case, (made, used, expected) in UNUSED.items():
        moments = [
            None if seconds is None else NOW - timedelta(days=90, seconds=seconds)
            for seconds in (made, used)
        ]
        assert moments[0], case
        assert is_unused(created_at=moments[0], last_used_at=moments[1], now=NOW) is expected, case


def test_names_of_the_rules_are_stable() -> None:
    assert {rule.value for rule in Rule} == {
        "session_stuck",
        "session_too_long",
        "session_of_closed_build",
        "session_of_disabled_client",
        "key_without_expiry",
        "key_unused",
        "client_at_limit",
        "build_written_without_session",
        "session_policy_nearly_full",
        "build_with_many_sessions",
        "build_with_many_addresses",
        "session_without_grant",
        "build_expired",
        "object_outside_builds",
        "object_of_unknown_build",
        "object_of_deleted_build",
        "object_of_purged_build",
        "object_without_session",
        "object_after_sessions",
        "object_after_close",
        "upload_unfinished",
        "assume_role_unknown",
        "used_after_revocation",
        "used_after_expiry",
        "used_outside_root",
        "denied_call",
        "other_address",
        "account_changed",
        "role_chained",
        "session_not_in_trail",
        "bad_file",
        "findings_left_out",
        "job_overdue",
        "account_wrong",
        "isolation_broken",
    }


# Of how many builds each count is, the one that is looked at, and whether it is unusual where
# usual times three, and at least ten, is.
UNUSUAL: dict[str, tuple[dict[int, int], int, bool]] = {
    "no others": ({10: 1}, 10, True),
    "no others, too few": ({9: 1}, 9, False),
    "three times the other": ({5: 1, 15: 1}, 15, False),
    "more than three times the other": ({5: 1, 16: 1}, 16, True),
    "another like it": ({1: 19, 16: 2}, 16, True),
    "others like it": ({1: 18, 16: 3}, 16, False),
    "one of twenty exceeds": ({1: 19, 5: 1, 15: 1}, 15, True),
    "two of twenty exceed": ({1: 18, 5: 2, 15: 1}, 15, False),
    "eleven of two hundred have more": ({1: 189, 5: 11, 15: 1}, 15, False),
    "ten of two hundred have more": ({1: 190, 5: 10, 15: 1}, 15, True),
    "most of them are many": ({1: 1, 20: 9, 30: 1}, 30, False),
}


def test_build_is_unusual_beside_the_others_of_its_product() -> None:
    for case, (counts, number, expected) in UNUSUAL.items():
        assert is_unusual(number, counts, factor=3, least=10) is expected, case


def test_one_is_usual_where_there_are_no_others() -> None:
    assert is_unusual(4, {4: 1}, factor=3, least=4)
    assert not is_unusual(3, {3: 1}, factor=3, least=3)
