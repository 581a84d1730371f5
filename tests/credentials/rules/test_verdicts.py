"""What a check of isolation concludes from its lines."""

from credentials.rules.verdicts import (
    DOCTOR,
    IGNORES_POLICIES,
    UNCHECKED_SOURCE,
    Line,
    Outcome,
    is_passed,
    summary,
)

ACCEPTED, REFUSED, UNCLEAR = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNCLEAR


def line(expected: Outcome, outcome: Outcome, *, probes: bool = True) -> Line:
    return Line(
        call=f"{expected} call",
        expected=expected,
        outcome=outcome,
        answer="403",
        probes_session_policy=probes,
    )


RIGHT = [line(ACCEPTED, ACCEPTED), line(REFUSED, REFUSED)]


def test_run_passes_when_every_call_went_as_it_must() -> None:
    assert is_passed(RIGHT)
    assert summary(RIGHT) == "Isolation holds: 2 calls, each as it must be."


def test_run_without_lines_proves_nothing() -> None:
    assert not is_passed([])


WRONG = {
    "refused call accepted": (
        [*RIGHT, line(REFUSED, ACCEPTED, probes=False)],
        "Isolation does not hold: a session can refused call.",
    ),
    "accepted call refused": ([*RIGHT, line(ACCEPTED, REFUSED)], "accepted call (403)"),
    "unclear refusal": ([*RIGHT, line(REFUSED, UNCLEAR)], "refused call (403)"),
    "unclear acceptance": ([*RIGHT, line(ACCEPTED, UNCLEAR)], "accepted call (403)"),
}


def test_one_wrong_call_fails_the_run() -> None:
    for case, (lines, told) in WRONG.items():
        assert not is_passed(lines), case
        unchecked = f"Isolation could not be checked. {DOCTOR} What went wrong: {told}."
        assert summary(lines) in {told, unchecked}, case


def test_store_that_ignores_policies_is_named_as_such() -> None:
    lines = [line(ACCEPTED, ACCEPTED), line(REFUSED, ACCEPTED), line(REFUSED, ACCEPTED)]
    assert summary(lines) == IGNORES_POLICIES


def test_refusal_by_the_role_does_not_hide_an_ignored_session_policy() -> None:
    lines = [line(REFUSED, ACCEPTED), line(REFUSED, REFUSED, probes=False)]
    assert summary(lines) == IGNORES_POLICIES


def test_store_that_accepts_nothing_could_not_be_checked() -> None:
    told = summary([line(ACCEPTED, REFUSED), line(REFUSED, REFUSED)])
    assert told.startswith(f"Isolation could not be checked. {DOCTOR}")


def test_each_call_that_went_wrong_and_each_leak_is_told() -> None:
    wrong = [Line(call=name, expected=ACCEPTED, outcome=REFUSED, answer="403") for name in "ab"]
    assert "What went wrong: a (403); b (403)." in summary(wrong)
    leaks = [Line(call=name, expected=REFUSED, outcome=ACCEPTED, answer="200") for name in "ab"]
    assert summary(leaks) == "Isolation does not hold: a session can a; b."


def test_every_copy_in_parts_that_leaks_is_told() -> None:
    leaks = [
        Line(
            call=f"copy {name} in parts into its root",
            expected=REFUSED,
            outcome=ACCEPTED,
            answer="200",
        )
        for name in "ab"
    ]
    told = "copy a in parts into its root; copy b in parts into its root"
    assert summary(leaks) == UNCHECKED_SOURCE.format(told)
