"""The identity tokens of each CI provider: taken, or refused with a reason that is true."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.cache import cache

from builds.models import Product
from credentials.access.callers import Caller
from credentials.models import OidcIssuer, TrustedPublisher, UsedIdentityToken
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show
from tests.oidc.identities import (
    AUDIENCE,
    PROJECT,
    aws,
    azure_devops,
    bitbucket,
    buildkite,
    circleci,
    github,
    gitlab,
    jenkins,
)
from tests.oidc.issuer import JWKS_PATH, Issuer, seconds_from_now
from tests.undone import undone

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Claims = Callable[..., dict[str, Any]]
ACCOUNT = "https://sts.amazonaws.com/aws_account"
# What a rule says of each provider's projects. Where the kind is "other", its issuer's row names
# these claims.
PROVIDERS: dict[str, tuple[Claims, str, dict[str, list[str]]]] = {
    "GitHub": (github, "github", {"repository_id": ["74"], "repository_owner_id": ["65"]}),
    "GitLab": (gitlab, "gitlab", {"project_id": ["20"]}),
    "CircleCI": (circleci, "other", {"oidc.circleci.com/project-id": [PROJECT]}),
    "Bitbucket": (bitbucket, "other", {"repositoryUuid": [f"{{{PROJECT}}}"]}),
    "Buildkite": (buildkite, "other", {"pipeline_id": [PROJECT]}),
    "Jenkins": (jenkins, "other", {"job": ["docs"]}),
    "Azure DevOps": (azure_devops, "other", {"def_id": ["12"], "org_id": [PROJECT]}),
    "AWS": (aws, "other", {ACCOUNT: ["123456789012"]}),
}


@pytest.fixture
def trusting(issuer: Issuer, caller: Caller, product: Product) -> Callable[[str], Claims]:
    """Configure a provider with a rule; what makes its claims is returned."""

    def make(provider: str) -> Claims:
        claims, kind, conditions = PROVIDERS[provider]
        row = OidcIssuer(kind=kind, issuer=issuer.url, jwks_url=issuer.url + JWKS_PATH)
        row.identifying_claims = list(conditions) if kind == "other" else []
        row.full_clean()
        row.save()
        rule = TrustedPublisher(
            name="docs", client=caller.client, issuer=row, conditions=conditions
        )
        rule.full_clean(exclude=["products"])
        rule.save()
        rule.products.set([product])
        return lambda **changes: claims(issuer.url, **changes)

    return make


TAKEN = [provider for provider in PROVIDERS if provider != "Azure DevOps"]


def test_token_of_a_provider_is_taken_with_its_audience_as_text_or_as_a_list(
    trusting: Callable[[str], Claims], issuer: Issuer, show: Show
) -> None:
    for provider in TAKEN:
        with undone():
            claims = trusting(provider)
            for aud in (AUDIENCE, [AUDIENCE]):
                answer = show(issuer.sign(claims(aud=aud)))
                told = (answer.status_code, answer.json().get("products"))
                assert told == (200, ["guide"]), provider


# provider, what is different -> status, code, what the answer says
REFUSED: dict[str, tuple[str, dict[str, Any], tuple[int, str, str]]] = {
    "GitHub's usual audience": (
        "GitHub",
        {"aud": "https://github.com/octo-org"},
        (400, "wrong_audience", "not the identity token's only audience"),
    ),
    "GitLab for two": (
        "GitLab",
        {"aud": [AUDIENCE, "https://vault.example.org"]},
        (400, "wrong_audience", "not the identity token's only audience"),
    ),
    "CircleCI's usual audience": (
        "CircleCI",
        {"aud": "a2c4e6a8-0000-4000-8000-000000000001"},
        (400, "wrong_audience", "only audience"),
    ),
    "another project of CircleCI": (
        "CircleCI",
        {"oidc.circleci.com/project-id": "a2c4e6a8-0000-4000-8000-00000000000f"},
        (403, "no_matching_publisher", "Ask an operator"),
    ),
    "Bitbucket's usual audience": (
        "Bitbucket",
        {"aud": "ari:cloud:bitbucket::workspace/a2c4e6a8-0000-4000-8000-000000000001"},
        (400, "wrong_audience", "only audience"),
    ),
    "Buildkite without --claim": (
        "Buildkite",
        {"pipeline_id": None},
        (403, "no_matching_publisher", "lacks pipeline_id"),
    ),
    "Jenkins without a claim template": (
        "Jenkins",
        {"job": None},
        (403, "no_matching_publisher", "lacks job"),
    ),
    "Jenkins without an audience": ("Jenkins", {"aud": None}, (400, "invalid_token", "aud")),
    "Azure DevOps, whose audience is fixed": (
        "Azure DevOps",
        {},
        (400, "wrong_audience", "does not let you choose the audience, use an API key"),
    ),
    "another account of AWS": (
        "AWS",
        {"https://sts.amazonaws.com/": {"aws_account": "210987654321"}},
        (403, "no_matching_publisher", "Ask an operator"),
    ),
    "AWS with a tag of that name": (
        "AWS",
        {"https://sts.amazonaws.com/": {"request_tags": {"aws_account": "123456789012"}}},
        (403, "no_matching_publisher", f"lacks {ACCOUNT}"),
    ),
}


def test_token_of_a_provider_is_refused_with_its_reason(
    trusting: Callable[[str], Claims], issuer: Issuer, show: Show
) -> None:
    for case, (provider, changes, (status, code, told)) in REFUSED.items():
        cache.clear()  # of failures that are counted
        with undone():
            answer = show(issuer.sign(trusting(provider)(**changes)))
            assert (answer.status_code, answer.json()["code"]) == (status, code), case
            assert told in assert_problem(answer, status, code)["message"], case
            assert not UsedIdentityToken.objects.exists(), case


def test_aws_must_sign_with_rs256(
    trusting: Callable[[str], Claims], issuer: Issuer, show: Show
) -> None:
    claims = trusting("AWS")()
    issuer.rotate(curve=ec.SECP384R1())
    problem = assert_problem(show(issuer.sign(claims, algorithm="ES384")), 400, "invalid_token")
    assert "RS256 or ES256" in problem["message"]


def test_step_with_one_token_is_told_what_it_can_do(
    trusting: Callable[[str], Claims], issuer: Issuer, show: Show
) -> None:
    claims = trusting("Bitbucket")
    token = issuer.sign(claims())
    assert show(token).status_code == 200
    used = assert_problem(show(token), 422, "reused_token")
    expired = issuer.sign(claims(exp=seconds_from_now(-60)))
    for problem in (used, assert_problem(show(expired), 400, "expired")):
        assert "If each step has only one, exchange it" in problem["message"]
        assert "run the step again" in problem["message"]
    assert "Keep using that job token" in used["message"]
