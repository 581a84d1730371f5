"""Claims against conditions: let in exactly when each claim is one of the values."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.publishers import (
    IssuerKind,
    Match,
    match_claims,
    text_of,
    value_of,
)
from tests.oidc.identities import github

ISSUER = "https://ci.example.org"
GITHUB_RULE = {"repository_id": ["74"], "repository_owner_id": ["65"]}

NAMES = st.sampled_from(["pipeline_id", "branch", "queue"])
WORDS = st.sampled_from(["a", "A", "b", "a ", "1", "true"])
SIGNED = st.one_of(
    WORDS, st.integers(0, 1), st.booleans(), st.none(), st.lists(WORDS, max_size=1), st.floats(0, 1)
)


@given(
    conditions=st.dictionaries(NAMES, st.lists(WORDS.filter(str.strip), min_size=1, max_size=3)),
    claims=st.dictionaries(NAMES, SIGNED),
)
def test_let_in_exactly_when_every_condition_holds(
    conditions: dict[str, list[str]], claims: dict[str, Any]
) -> None:
    match = match_claims(
        kind=IssuerKind.OTHER,
        conditions=conditions,
        signed_claims=claims,
        identifying=["pipeline_id"],
    )
    is_legal = len(conditions.get("pipeline_id", [])) == 1 and not any(
        value.endswith(" ") for values in conditions.values() for value in values
    )
    holds = all(text_of(claims.get(claim)) in values for claim, values in conditions.items())
    assert match.is_legal == is_legal
    assert match.is_accepted == (is_legal and holds)


@given(more=st.dictionaries(st.sampled_from(["sub", "repository", "actor"]), st.text()))
def test_names_and_sub_decide_nothing(more: dict[str, str]) -> None:
    signed = {**github(ISSUER), **more}
    assert match_claims(
        kind=IssuerKind.GITHUB, conditions=GITHUB_RULE, signed_claims=signed
    ).is_accepted


@given(
    claim=st.sampled_from(sorted(GITHUB_RULE)),
    value=SIGNED | st.text() | st.integers(),
)
def test_no_other_number_is_let_in(claim: str, value: Any) -> None:
    signed = {**github(ISSUER), claim: value}
    match = match_claims(kind=IssuerKind.GITHUB, conditions=GITHUB_RULE, signed_claims=signed)
    assert match.is_accepted == (str(value) == GITHUB_RULE[claim][0] and type(value) in {int, str})


def test_empty_or_broken_rule_lets_nobody_in() -> None:
    for conditions in [{}, None, {"event_name": ["push"]}]:
        match = match_claims(
            kind=IssuerKind.GITHUB, conditions=conditions, signed_claims=github(ISSUER)
        )
        assert (match.is_legal, match.is_accepted) == (False, False), conditions


def test_rule_that_names_no_event_means_the_usual_ones() -> None:
    for event in ("pull_request_target", "create", "", None):
        signed = {**github(ISSUER), "event_name": event}
        match = match_claims(kind=IssuerKind.GITHUB, conditions=GITHUB_RULE, signed_claims=signed)
        assert match.differing == ("event_name",)


def test_project_is_identified_by_its_first_claim_alone() -> None:
    def match(**changes: str) -> Match:
        signed = {**github(ISSUER), **changes}
        return match_claims(kind=IssuerKind.GITHUB, conditions=GITHUB_RULE, signed_claims=signed)

    assert match(repository_owner_id="66").is_identified
    assert not match(repository_id="75").is_identified


def test_verdict_that_says_nothing_lets_nobody_in() -> None:
    assert not Match().is_accepted


def test_text_whole_numbers_and_truth_are_compared_as_text() -> None:
    values = ["x", 7, -1, True, False, None, 7.0, ["x"], {"x": 1}]
    assert [text_of(value) for value in values] == ["x", "7", "-1", "true", "false"] + [None] * 4


AWS = "https://sts.amazonaws.com/"
CLAIMS = {
    AWS: {"aws_account": "123", "a/b": "deep"},
    "branch": "main",
    "list/": ["x"],
    "": {"alone": 1},
}
FOUND = {
    "branch": "main",
    AWS: CLAIMS[AWS],
    f"{AWS}aws_account": "123",
    f"{AWS}other": None,
    f"{AWS}a/b": None,
    "https://sts.amazonaws.com": None,
    "list/x": None,
    "branch/x": None,
    "nowhere/aws_account": None,
    "aws_account": None,
    "nowhere": None,
    "alone": None,
}


def test_claim_is_found_under_its_name_or_as_a_member() -> None:
    assert {claim: value_of(CLAIMS, claim) for claim in FOUND} == FOUND


def test_claim_that_is_signed_itself_wins_over_a_member() -> None:
    assert value_of({"a/b": "itself", "a/": {"b": "member"}}, "a/b") == "itself"
