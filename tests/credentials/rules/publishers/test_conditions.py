"""Which conditions are legal, as a table and as properties."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.publishers import (
    GITHUB,
    GITLAB,
    MAX_VALUES,
    IssuerKind,
    condition_problems,
    event_warnings,
    with_usual_events,
)

KINDS = list(IssuerKind)
OF_GITHUB = {"repository_id": ["74"], "repository_owner_id": ["65"]}
OF_GITLAB = {"project_id": ["20"]}
OF_OTHER = {"organization/id": ["o"], "pipeline_id": ["p"]}
IDENTIFYING = ("organization/id", "pipeline_id")
LEGAL: dict[str, tuple[IssuerKind, dict[str, list[str]]]] = {
    "GitHub, the least": (IssuerKind.GITHUB, OF_GITHUB),
    "GitHub, everything": (
        IssuerKind.GITHUB,
        {
            **OF_GITHUB,
            "event_name": ["push", "pull_request_target"],
            "ref": ["refs/heads/main", "refs/tags/v1"],
            "ref_type": ["branch", "tag"],
            "environment": ["Docs site"],
            "job_workflow_ref": ["o/r/.github/workflows/x.yml@refs/heads/main"],
        },
    ),
    "GitLab, the least": (IssuerKind.GITLAB, OF_GITLAB),
    "GitLab, everything": (
        IssuerKind.GITLAB,
        {
            **OF_GITLAB,
            "pipeline_source": ["push"],
            "ref": ["main"],
            "ref_type": ["branch"],
            "ref_protected": ["true"],
            "environment": ["docs/site"],
        },
    ),
    "another": (IssuerKind.OTHER, {**OF_OTHER, "oidc.example/x-y": ["1", "2"]}),
}


def test_legal_conditions_have_no_problem() -> None:
    for case, (kind, conditions) in LEGAL.items():
        assert condition_problems(kind, conditions, IDENTIFYING) == [], case


def changed(**changes: Any) -> dict[str, Any]:
    return {**OF_GITHUB, **changes}


ILLEGAL: dict[str, tuple[dict[str, Any], str]] = {
    "owner missing": ({"repository_id": ["74"]}, "repository_owner_id"),
    "repository missing": ({"repository_owner_id": ["65"]}, "repository_id"),
    "a claim of GitLab": (changed(project_id=["20"]), "project_id"),
    "name of the repository": (changed(repository=["octo/repo"]), "repository"),
    "number in text": (changed(repository_id="74"), "repository_id"),
    "number as number": (changed(repository_id=[74]), "repository_id"),
    "two repositories": (changed(repository_id=["74", "75"]), "repository_id"),
    "a name for the number": (changed(repository_id=["octo"]), "repository_id"),
    "zero before the number": (changed(repository_id=["074"]), "repository_id"),
    "digits of another script": (changed(repository_id=["٧٤"]), "repository_id"),
    "line break behind the number": (changed(repository_id=["74\n"]), "repository_id"),
    "no value": (changed(environment=[]), "environment"),
    "empty value": (changed(environment=[""]), "environment"),
    "space at the end": (changed(environment=["docs "]), "environment"),
    "control character": (changed(environment=["a\x00b"]), "environment"),
    "reordering character": (changed(environment=["a\u202eb"]), "environment"),
    "256 characters": (changed(environment=["e" * 256]), "environment"),
    "too many": (changed(environment=["e"] * (MAX_VALUES + 1)), "environment"),
    "wildcard": (changed(environment=["docs-*"]), "environment"),
    "null": (changed(environment=None), "environment"),
    "event with a space": (changed(event_name=["pull request"]), "event_name"),
    "event in capitals": (changed(event_name=["Push"]), "event_name"),
    "ref without its type": (changed(ref=["refs/heads/main"]), "ref_type"),
    "type that is none": (changed(ref_type=["heads"]), "ref_type"),
    "ref of another type": (changed(ref=["refs/tags/v"], ref_type=["branch"]), "ref"),
    "short ref": (changed(ref=["main"], ref_type=["branch"]), "ref"),
    "ref of a pull request": (changed(ref=["refs/pull/1/merge"], ref_type=["branch"]), "ref"),
}


def test_illegal_conditions_of_github_name_the_claim() -> None:
    found = {
        case: [problem.claim for problem in condition_problems(IssuerKind.GITHUB, conditions)]
        for case, (conditions, _) in ILLEGAL.items()
    }
    assert found == {case: [claim] for case, (_, claim) in ILLEGAL.items()}


def test_issuer_that_identifies_nothing_has_no_legal_rule() -> None:
    assert [each.claim for each in condition_problems(IssuerKind.OTHER, {"x": ["y"]}, ())] == [""]


def test_what_is_not_an_object_is_a_problem() -> None:
    for conditions in (None, [], "x", {1: ["x"]}):
        [problem] = condition_problems(IssuerKind.OTHER, conditions, IDENTIFYING)
        assert problem == ("", "Conditions map claims to lists of values.")


ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(KINDS), conditions=ANY_JSON, identifying=st.lists(st.text()))
def test_no_json_breaks_it(kind: IssuerKind, conditions: Any, identifying: list[str]) -> None:
    found = condition_problems(kind, conditions, identifying)
    assert all(each.sentence for each in found)
    assert isinstance(event_warnings(kind, conditions), list)


@given(
    kind=st.sampled_from(KINDS),
    conditions=st.dictionaries(
        st.sampled_from([*OF_GITHUB, *OF_GITLAB, *OF_OTHER, "ref", "ref_type", "event_name"]),
        st.lists(st.sampled_from(["1", "main", "branch", "refs/heads/main"]), max_size=2),
    ),
)
def test_rule_without_every_identifying_claim_is_never_legal(
    kind: IssuerKind, conditions: dict[str, list[str]]
) -> None:
    needed = {
        IssuerKind.GITHUB: set(OF_GITHUB),
        IssuerKind.GITLAB: set(OF_GITLAB),
        IssuerKind.OTHER: set(IDENTIFYING),
    }[kind]
    if not condition_problems(kind, conditions, IDENTIFYING):
        assert needed <= set(conditions)
        assert all(len(conditions[claim]) == 1 for claim in needed)


def test_usual_events_stand_in_where_none_is_named() -> None:
    assert with_usual_events(IssuerKind.GITHUB, OF_GITHUB)["event_name"] == [
        "push",
        "workflow_dispatch",
        "schedule",
        "release",
    ]
    assert with_usual_events(IssuerKind.GITLAB, OF_GITLAB)["pipeline_source"] == [
        "push",
        "schedule",
        "web",
    ]
    assert with_usual_events(IssuerKind.OTHER, OF_OTHER) == OF_OTHER
    named = changed(event_name=["create"])
    assert with_usual_events(IssuerKind.GITHUB, named) == named


def test_no_usual_event_is_one_that_strangers_start() -> None:
    for known in (GITHUB, GITLAB):
        assert not {*known.usual_events, *known.other_events} & set(known.risky_events)


def test_each_risky_event_has_its_warning() -> None:
    for event, sentence in GITHUB.risky_events.items():
        assert event_warnings(IssuerKind.GITHUB, changed(event_name=["push", event])) == [sentence]
    assert event_warnings(IssuerKind.GITHUB, changed(event_name=["push"])) == []
    assert event_warnings(IssuerKind.GITLAB, {"pipeline_source": ["merge_request_event"]}) != []
    [unknown] = event_warnings(IssuerKind.GITHUB, changed(event_name=["push", "pul_request"]))
    assert unknown.startswith("pul_request is not an event that this service knows. ")
    assert unknown.endswith(
        " Known events: push, workflow_dispatch, schedule, release, create, deployment, "
        "merge_group, repository_dispatch."
    )
    assert event_warnings(IssuerKind.OTHER, {"event_name": ["pull_request_target"]}) == []


def refs(*names: str, ref_type: str) -> dict[str, list[str]]:
    return {"ref": list(names), "ref_type": [ref_type]}


NO_LIST = "A list of 1 to 50 values."
NO_TEXT = "Each value is text of 1 to 255 characters."
SIGNS = "GitLab signs short names: write main or v1."
# kind, conditions -> each claim with its whole sentence
SENTENCES: dict[str, tuple[IssuerKind, Any, list[tuple[str, str]]]] = {
    "missing": (
        IssuerKind.GITLAB,
        {},
        [("project_id", "project_id is required: without it the rule would accept strangers.")],
    ),
    "ref alone": (
        IssuerKind.GITLAB,
        {**OF_GITLAB, "ref": ["main"]},
        [("ref_type", "ref needs ref_type beside it: a tag can have the name of a branch.")],
    ),
    "another claim": (
        IssuerKind.GITLAB,
        {**OF_GITLAB, "namespace": ["x"]},
        [("namespace", "namespace is not a claim that a rule may name.")],
    ),
    "two projects": (
        IssuerKind.GITLAB,
        {"project_id": ["1", "2"]},
        [("project_id", "project_id has one value: a rule is for one.")],
    ),
    "no list": (IssuerKind.GITLAB, {"project_id": "1"}, [("project_id", NO_LIST)]),
    "no text": (IssuerKind.GITLAB, {"project_id": [1]}, [("project_id", NO_TEXT)]),
    "space": (
        IssuerKind.GITLAB,
        {"project_id": ["1 "]},
        [("project_id", "A value may not contain control characters, or spaces at its ends.")],
    ),
    "wildcard": (
        IssuerKind.GITLAB,
        {"project_id": ["1*"]},
        [("project_id", "There are no wildcards: values are compared as a whole.")],
    ),
    "name for the number": (
        IssuerKind.GITLAB,
        {"project_id": ["group"]},
        [("project_id", "project_id is a number, not a name.")],
    ),
    "event": (
        IssuerKind.GITHUB,
        changed(event_name=["Push"]),
        [("event_name", "'Push' is not the name of an event.")],
    ),
    "type": (
        IssuerKind.GITLAB,
        {**OF_GITLAB, "ref_type": ["head"]},
        [("ref_type", "ref_type is branch or tag.")],
    ),
    "protection": (
        IssuerKind.GITLAB,
        {**OF_GITLAB, "ref_protected": ["yes"]},
        [("ref_protected", "ref_protected is true or false.")],
    ),
    "short ref at GitHub": (
        IssuerKind.GITHUB,
        changed(**refs("main", ref_type="branch")),
        [("ref", "'main' is no ref of these types: write refs/heads/main or refs/tags/v1.")],
    ),
    "ref of a type that is none": (
        IssuerKind.GITHUB,
        changed(**refs("-x", ref_type="head")),
        [("ref_type", "ref_type is branch or tag.")],
    ),
    "long ref at GitLab": (
        IssuerKind.GITLAB,
        {**OF_GITLAB, **refs("refs/heads/main", ref_type="branch")},
        [("ref", SIGNS)],
    ),
}


def test_problem_is_told_in_one_sentence() -> None:
    for case, (kind, conditions, expected) in SENTENCES.items():
        found = condition_problems(kind, conditions)
        assert [(each.claim, each.sentence) for each in found] == expected, case


def test_issuer_that_identifies_nothing_says_what_to_do() -> None:
    [problem] = condition_problems(IssuerKind.OTHER, {"x": ["y"]})
    assert problem.sentence == (
        "The issuer does not say which claims identify a project. Name them there."
    )


def test_most_and_longest_values_are_legal() -> None:
    for kept in (["e" * 255], ["e"] * 50):
        assert condition_problems(IssuerKind.GITHUB, changed(environment=kept)) == []


def test_unprotected_refs_may_be_named() -> None:
    assert (
        condition_problems(IssuerKind.GITLAB, {**OF_GITLAB, "ref_protected": ["false", "true"]})
        == []
    )
