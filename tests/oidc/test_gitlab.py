"""Identity tokens as GitLab signs them, and those of any other issuer."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from django.core.exceptions import ValidationError

from builds.models import Product
from credentials.access.callers import Caller
from credentials.models import JobToken, OidcIssuer, TrustedPublisher
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show, Trust, switch_off
from tests.oidc.identities import AUDIENCE, gitlab
from tests.oidc.issuer import JWKS_PATH, Issuer, seconds_from_now

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Signed = Callable[..., str]
MAIN = {"ref": ["main"], "ref_type": ["branch"]}


@pytest.fixture
def issuer_row(db: None, issuer: Issuer) -> OidcIssuer:
    """In place of the common one: a GitLab of one's own."""
    return OidcIssuer.objects.create(
        kind="gitlab", issuer=issuer.url, jwks_url=issuer.url + JWKS_PATH
    )


LET_IN: dict[str, tuple[dict[str, list[str]], dict[str, Any]]] = {
    "push": ({}, {}),
    "schedule": ({}, {"pipeline_source": "schedule"}),
    "by hand": ({}, {"pipeline_source": "web"}),
    "a branch": (MAIN, {}),
    "protected": ({"ref_protected": ["true"]}, {}),
    "environment": ({"environment": ["docs"]}, {"environment": "docs"}),
    "merge requests where they are named": (
        {"pipeline_source": ["merge_request_event"]},
        {"pipeline_source": "merge_request_event"},
    ),
    "renamed project": ({}, {"project_path": "other/name", "namespace_path": "other"}),
}


def test_gitlab_job_is_let_in(show: Show, trust: Trust, signed: Signed) -> None:
    for case, (conditions, changes) in LET_IN.items():
        rule = trust(**conditions)
        assert show(signed(**changes)).status_code == 200, case
        switch_off(rule)


KEPT_OUT: dict[str, tuple[dict[str, list[str]], dict[str, Any], str]] = {
    "another project of the same path": ({}, {"project_id": "21"}, "Ask an operator"),
    "a fork's merge request": (
        {},
        {"project_id": "21", "pipeline_source": "merge_request_event"},
        "Ask an operator",
    ),
    "a merge request": ({}, {"pipeline_source": "merge_request_event"}, "pipeline_source differs"),
    "a tag named main": (MAIN, {"ref_type": "tag"}, "ref_type differs"),
    "not protected": (
        {"ref_protected": ["true"]},
        {"ref_protected": "false"},
        "ref_protected differs",
    ),
    "no environment": ({"environment": ["docs"]}, {}, "environment differs"),
}


def test_gitlab_job_is_kept_out(show: Show, trust: Trust, signed: Signed) -> None:
    for case, (conditions, changes, told) in KEPT_OUT.items():
        rule = trust(**conditions)
        problem = assert_problem(show(signed(**changes)), 403, "no_matching_publisher")
        assert told in problem["detail"], case
        switch_off(rule)


@pytest.fixture
def neighbour(authority: trustme.CA) -> Iterator[Issuer]:
    """Another GitLab, configured as well, where somebody else has the same project number."""
    neighbour = Issuer(authority)
    OidcIssuer.objects.create(
        kind="gitlab", issuer=neighbour.url, jwks_url=neighbour.url + JWKS_PATH
    )
    yield neighbour
    neighbour.stop()


def test_rule_is_for_its_own_issuer_only(
    show: Show, publisher: TrustedPublisher, issuer: Issuer, neighbour: Issuer
) -> None:
    theirs = show(neighbour.sign(gitlab(neighbour.url)))
    assert "differs" not in assert_problem(theirs, 403, "no_matching_publisher")["detail"]
    borrowed = show(neighbour.sign(gitlab(issuer.url)))
    assert_problem(borrowed, 400, "invalid_token")
    assert show(issuer.sign(gitlab(issuer.url))).status_code == 200


def test_gitlab_job_is_named_for_people(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    show(signed())
    assert JobToken.objects.get().identity == "my-group/my-project push main 574 302"


@pytest.fixture
def elsewhere(issuer_row: OidcIssuer) -> OidcIssuer:
    """The same issuer as one that is neither GitHub nor GitLab."""
    issuer_row.kind, issuer_row.identifying_claims = "other", ["pipeline_id", "organization_id"]
    issuer_row.full_clean()
    issuer_row.save()
    return issuer_row


def rule(issuer: OidcIssuer, caller: Caller, product: Product, **conditions: Any) -> None:
    made = TrustedPublisher(
        name="x", client=caller.client, issuer=issuer, conditions={**conditions}
    )
    made.full_clean(exclude=["products"])
    made.save()
    made.products.set([product])


def claims(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    times = {"iat": seconds_from_now(0), "exp": seconds_from_now(300)}
    ids = {"pipeline_id": "p-1", "organization_id": "o-1", "build_number": 7, "is_main": True}
    return {"iss": issuer.url, "aud": AUDIENCE, "sub": "p:1", **times, **ids, **changes}


def test_any_other_issuer_is_taken_by_the_claims_that_it_names(
    show: Show, issuer: Issuer, elsewhere: OidcIssuer, caller: Caller, product: Product
) -> None:
    ids = {"pipeline_id": ["p-1"], "organization_id": ["o-1"]}
    rule(elsewhere, caller, product, **ids, is_main=["true"], build_number=["7"])
    assert show(issuer.sign(claims(issuer))).status_code == 200
    other = show(issuer.sign(claims(issuer, organization_id="o-2")))
    assert "organization_id differs" in other.json()["detail"]
    stranger = show(issuer.sign(claims(issuer, pipeline_id="p-2")))
    assert "differs" not in stranger.json()["detail"]
    assert "is_main differs" in show(issuer.sign(claims(issuer, is_main=False))).json()["detail"]


@pytest.mark.parametrize(
    "conditions",
    [{"pipeline_id": ["p-1"]}, {"pipeline_id": ["p-1"], "organization_id": ["o"], "sub": ["p:1"]}],
    ids=["not all that identify", "sub"],
)
def test_rule_for_another_issuer_needs_what_identifies_and_never_sub(
    conditions: Any, elsewhere: OidcIssuer, caller: Caller, product: Product
) -> None:
    with pytest.raises(ValidationError):
        rule(elsewhere, caller, product, **conditions)


def test_issuer_that_no_longer_says_what_identifies_opens_nothing(
    show: Show, issuer: Issuer, elsewhere: OidcIssuer, caller: Caller, product: Product
) -> None:
    rule(elsewhere, caller, product, pipeline_id=["p-1"], organization_id=["o-1"])
    OidcIssuer.objects.update(identifying_claims=[])
    assert_problem(show(issuer.sign(claims(issuer))), 403, "no_matching_publisher")
