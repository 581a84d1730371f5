"""Which rule lets a job in, and what it then opens."""

from collections.abc import Callable
from typing import Any

import pytest

from builds.models import Product
from credentials.access.callers import Caller
from credentials.models import Client, Grant, JobToken, TrustedPublisher
from tests.http.problem import assert_problem
from tests.oidc.conftest import Show, Trust, switch_off
from tests.oidc.issuer import seconds_from_now

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]

Signed = Callable[..., str]
TAG = {"ref": "refs/tags/v1", "ref_type": "tag"}
DISPATCH = {"event_name": "workflow_dispatch"}
# Conditions of a rule, and changes of the claims that meet it.
MET: dict[str, tuple[dict[str, list[str]], dict[str, Any]]] = {
    "push by default": ({}, {}),
    "dispatch by default": ({}, DISPATCH),
    "schedule by default": ({}, {"event_name": "schedule"}),
    "release by default": ({}, {"event_name": "release", **TAG}),
    "a branch": ({"ref": ["refs/heads/main"], "ref_type": ["branch"]}, {}),
    "one of two refs": (
        {"ref": ["refs/heads/main", "refs/tags/v1"], "ref_type": ["branch", "tag"]},
        TAG,
    ),
    "any tag": ({"ref_type": ["tag"]}, TAG),
    "environment": ({"environment": ["Docs"]}, {"environment": "Docs"}),
    "workflow file": (
        {
            "job_workflow_ref": [
                "octo-org/octo-repo/.github/workflows/docs.yml@refs/heads/main",
            ]
        },
        {},
    ),
    "pull_request_target where it is named": (
        {"event_name": ["pull_request_target"]},
        {"event_name": "pull_request_target"},
    ),
    "renamed repository": ({}, {"repository": "other/name", "sub": "repo:other/name:x"}),
    "numbers as numbers": ({}, {"repository_id": 74, "repository_owner_id": 65}),
    "no nbf": ({}, {"nbf": None}),
    "no sub": ({}, {"sub": None}),
}


def test_job_that_meets_the_rule_is_let_in(show: Show, trust: Trust, signed: Signed) -> None:
    for case, (conditions, changes) in MET.items():
        rule = trust(**conditions)
        assert show(signed(**changes)).status_code == 200, case
        switch_off(rule)


def test_clocks_may_differ_by_half_a_minute(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    for claim, seconds in (("exp", -10), ("iat", 10), ("nbf", 10)):
        assert show(signed(**{claim: seconds_from_now(seconds)})).status_code == 200, claim


# Conditions, changes of the claims, and the claims that the answer names.
DIFFERS: dict[str, tuple[dict[str, list[str]], dict[str, Any], str]] = {
    "event": ({}, {"event_name": "pull_request_target"}, "event_name differs"),
    "environment": ({"environment": ["secret-name"]}, {}, "environment differs"),
    "ref": (
        {"ref": ["refs/heads/secret-name"], "ref_type": ["branch"]},
        {},
        "ref differs",
    ),
    "owner": ({}, {"repository_owner_id": "66"}, "repository_owner_id differs"),
    "two": (
        {"environment": ["secret-name"]},
        {"event_name": "x"},
        "event_name, environment differs",
    ),
}


def test_owner_of_the_project_is_told_which_claims_differ(
    show: Show, trust: Trust, signed: Signed
) -> None:
    for conditions, changes, named in DIFFERS.values():
        rule = trust(**conditions)
        problem = assert_problem(show(signed(**changes)), 403, "no_matching_publisher")
        assert named in problem["detail"]
        assert "secret-name" not in str(problem)
        switch_off(rule)


def test_stranger_is_told_nothing_of_the_rule(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    problem = assert_problem(show(signed(repository_id="75")), 403, "no_matching_publisher")
    nobody = assert_problem(show(signed(repository_id="0")), 403, "no_matching_publisher")
    assert problem == nobody
    assert "differs" not in problem["detail"]


def test_the_rule_that_comes_closest_is_spoken_of(show: Show, trust: Trust, signed: Signed) -> None:
    trust(environment=["x"], ref_type=["tag"])
    trust(ref_type=["tag"])
    problem = assert_problem(show(signed()), 403, "no_matching_publisher")
    assert ": ref_type differs" in problem["detail"]


CLOSED: dict[str, Callable[[TrustedPublisher], object]] = {
    "disabled rule": lambda rule: TrustedPublisher.objects.update(is_active=False),
    "disabled client": lambda rule: Client.objects.update(is_active=False),
    "conditions emptied around the form": lambda rule: rewrite({"x": []}),
    "owner taken out around the form": lambda rule: rewrite({"repository_id": ["74"]}),
    "numbers taken out around the form": lambda rule: rewrite({"event_name": ["push"]}),
    "sub put in around the form": lambda rule: rewrite(
        {**rule.conditions, "sub": ["repo:octo-org/octo-repo:ref:refs/heads/main"]}
    ),
    "wildcard put in around the form": lambda rule: rewrite({**rule.conditions, "ref": ["*"]}),
    "a list for conditions": lambda rule: rewrite(["repository_id"]),
    "text for conditions": lambda rule: rewrite("repository_id"),
    "text for values": lambda rule: rewrite({**rule.conditions, "repository_id": "74"}),
}


def rewrite(conditions: Any) -> None:
    TrustedPublisher.objects.update(conditions=conditions)


def test_closed_or_illegal_rule_lets_nobody_in(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    for case, close in CLOSED.items():
        close(publisher)
        answer = show(signed())
        assert (answer.status_code, answer.json()["code"]) == (403, "no_matching_publisher"), case
        Client.objects.update(is_active=True)
        publisher.save()
    assert show(signed()).status_code == 200


@pytest.fixture
def other(make_product: Callable[..., Product], caller: Caller) -> Product:
    product = make_product("handbook")
    Grant.objects.create(client=caller.client, product=product)
    return product


def test_all_that_the_rule_opens_is_given_unless_asked(
    show: Show, trust: Trust, signed: Signed, product: Product, other: Product
) -> None:
    trust(product, other)
    assert show(signed()).json()["products"] == ["guide", "handbook"]
    assert show(signed(), products=None).json()["products"] == ["guide", "handbook"]
    assert show(signed(), products=["handbook"]).json()["products"] == ["handbook"]
    turned = show(signed(), products=["handbook", "guide"])
    assert turned.json()["products"] == ["handbook", "guide"]
    assert show(signed(), products=["guide"] * 2).json()["products"] == ["guide"]
    opened = JobToken.objects.filter(grants__product=other)
    assert opened.count() == 4


def test_first_rule_that_opens_what_is_asked_counts(
    show: Show,
    trust: Trust,
    signed: Signed,
    product: Product,
    other: Product,
    make_caller: Callable[..., Caller],
) -> None:
    second = make_caller("second", product, other).client
    rules = [trust(product), trust(product, other), trust(other, client=second)]
    assert show(signed(), products=["guide"]).status_code == 200
    assert show(signed(), products=["handbook", "guide"]).status_code == 200
    Grant.objects.filter(client=rules[0].client, product=other).delete()
    assert show(signed(), products=["handbook"]).json()["username"] == "second"
    used = JobToken.objects.order_by("pk").values_list("publisher", flat=True)
    assert list(used) == [rule.pk for rule in rules]


def test_rule_that_opens_nothing_is_passed_over(
    show: Show, trust: Trust, signed: Signed, product: Product, other: Product
) -> None:
    trust(product)
    trust(other)
    Grant.objects.filter(product=product).delete()
    assert show(signed()).json()["products"] == ["handbook"]


def test_rules_for_different_products_need_one_named(
    show: Show, trust: Trust, signed: Signed, product: Product, other: Product
) -> None:
    trust(product)
    trust(product, other)
    token = signed()
    assert_problem(show(token), 400, "no_product_named")
    assert show(token, products=["guide"]).json()["products"] == ["guide"]


NOT_OPENED = {
    "not granted": ["handbook"],
    "one of two": ["guide", "handbook"],
    "not there": ["nowhere"],
    "no slug at all": ["../guide"],
}


def test_products_that_no_rule_opens_are_refused_alike(
    show: Show,
    publisher: TrustedPublisher,
    signed: Signed,
    make_product: Callable[..., Product],
) -> None:
    publisher.products.add(make_product("handbook"))
    for asked in NOT_OPENED.values():
        problem = assert_problem(show(signed(), products=asked), 403, "product_not_granted")
        assert f"Requested: {', '.join(asked)}." in problem["detail"]
    assert JobToken.objects.count() == 0


def test_rule_whose_client_was_granted_nothing_opens_nothing(
    show: Show, publisher: TrustedPublisher, signed: Signed
) -> None:
    Grant.objects.all().delete()
    assert_problem(show(signed()), 403, "product_not_granted")
