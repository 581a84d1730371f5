"""What a check of isolation concludes from its lines."""

import pytest

from credentials.isolation.verdicts import (
    IGNORES_POLICIES,
    NOTHING_WORKS,
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
        answer="",
        probes_session_policy=probes,
    )


RIGHT = [line(ACCEPTED, ACCEPTED), line(REFUSED, REFUSED)]


def test_run_passes_when_every_call_went_as_it_must() -> None:
    assert is_passed(RIGHT)
    assert summary(RIGHT) == "Isolation holds: 2 calls, each as it must be."


def test_run_without_lines_proves_nothing() -> None:
    assert not is_passed([])


WRONG = {
    "refused call accepted": [*RIGHT, line(REFUSED, ACCEPTED)],
    "accepted call refused": [*RIGHT, line(ACCEPTED, REFUSED)],
    "unclear refusal": [*RIGHT, line(REFUSED, UNCLEAR)],
    "unclear acceptance": [*RIGHT, line(ACCEPTED, UNCLEAR)],
}


@pytest.mark.parametrize("lines", WRONG.values(), ids=WRONG)
def test_one_wrong_call_fails_the_run(lines: list[Line]) -> None:
    assert not is_passed(lines)
    assert "1 of 3 calls went wrong" in summary(lines)


def test_store_that_ignores_policies_is_named_as_such() -> None:
    lines = [line(ACCEPTED, ACCEPTED), line(REFUSED, ACCEPTED), line(REFUSED, ACCEPTED)]
    assert summary(lines) == IGNORES_POLICIES


def test_refusal_by_the_role_does_not_hide_an_ignored_session_policy() -> None:
    lines = [line(REFUSED, ACCEPTED), line(REFUSED, REFUSED, probes=False)]
    assert summary(lines) == IGNORES_POLICIES


def test_store_that_accepts_nothing_is_named_as_such() -> None:
    assert summary([line(ACCEPTED, REFUSED), line(REFUSED, REFUSED)]) == NOTHING_WORKS
