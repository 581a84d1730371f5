"""Trust policies: the vendor, nobody else, under the right conditions."""

from typing import Any

import pytest

from credentials.doctor.findings import Severity
from credentials.doctor.strangers import exact_principals
from credentials.doctor.trust import judge_trust
from tests.credentials.doctor.aws_account import ACCOUNT, VENDOR, expected, faults, policy

OTHER = f"arn:aws:iam::{ACCOUNT}:role/other"
SERVICE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/web"


def trusting(principal: Any, action: Any = "sts:AssumeRole", **rest: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, **rest}


OWN = trusting({"AWS": VENDOR})

WHO: dict[str, tuple[Any, set[str]]] = {
    "vendor": (OWN, set()),
    "vendor in a list": (trusting({"AWS": [VENDOR]}), set()),
    "vendor, other case": (trusting({"AWS": VENDOR}, "STS:assumerole"), set()),
    "vendor, twice": ([OWN, OWN], set()),
    "vendor, with tags": (trusting({"AWS": VENDOR}, ["sts:AssumeRole", "sts:TagSession"]), set()),
    "star": (trusting("*"), {"anyone", "vendor-missing"}),
    "star for AWS": ([OWN, trusting({"AWS": "*"})], {"anyone"}),
    "star in a list": ([OWN, trusting({"AWS": [OTHER, "*"]})], {"anyone", "other-principal"}),
    "star under a condition": (
        [OWN, trusting("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})],
        {"anyone"},
    ),
    "all but one": ([OWN, trusting({}) | {"NotPrincipal": {"AWS": OTHER}}], {"anyone"}),
    "account by number": ([OWN, trusting({"AWS": ACCOUNT})], {"account"}),
    "account by root": ([OWN, trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], {"account"}),
    "another role": ([OWN, trusting({"AWS": OTHER})], {"other-principal"}),
    "wildcard": ([OWN, trusting({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"})], {"other-principal"}),
    "beside the vendor": (trusting({"AWS": [VENDOR, OTHER]}), {"other-principal"}),
    "deleted": (
        trusting({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}),
        {"deleted-principal", "vendor-missing"},
    ),
    "federated": ([OWN, trusting({"Federated": "accounts.google.com"})], {"federated"}),
    "service": ([OWN, trusting({"Service": "ec2.amazonaws.com"})], {"service"}),
    "canonical user": ([OWN, trusting({"CanonicalUser": "79a5"})], {"other-principal"}),
    "every call": (trusting({"AWS": VENDOR}, "sts:*"), {"other-action"}),
    "other call only": (trusting({"AWS": VENDOR}, "sts:TagSession"), {"vendor-missing"}),
    "nobody": ([], {"vendor-missing"}),
    "denied": (OWN | {"Effect": "Deny"}, {"vendor-missing"}),
}


@pytest.mark.parametrize("case", WHO)
def test_trusted_principals_are_judged(case: str) -> None:
    statements, found = WHO[case]
    assert faults(judge_trust({"Statement": statements}, expected())) == found


def conditions(**condition: Any) -> dict[str, Any]:
    return policy(OWN | {"Condition": condition})


AGREED = {"external_id": "agreed"}
CONDITIONS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "none needed": (policy(OWN), {}, set()),
    "id missing": (policy(OWN), AGREED, {"external-id-missing"}),
    "id asked for": (conditions(StringEquals={"sts:ExternalId": "agreed"}), AGREED, set()),
    "id in a list": (conditions(StringEquals={"sts:externalid": ["a", "agreed"]}), AGREED, set()),
    "id by a pattern": (conditions(StringLike={"sts:ExternalId": "agr*"}), AGREED, set()),
    "any id": (conditions(StringLike={"sts:ExternalId": "*"}), AGREED, {"external-id-missing"}),
    "other id": (conditions(StringEquals={"sts:ExternalId": "b"}), AGREED, {"external-id-other"}),
    "all but an id": (
        conditions(StringNotEquals={"sts:ExternalId": "b"}),
        AGREED,
        {"external-id-missing"},
    ),
    "other condition": (
        conditions(IpAddress={"aws:SourceIp": "10.0.0.0/8"}),
        AGREED,
        {"external-id-missing"},
    ),
    "id not known": (
        conditions(StringEquals={"sts:ExternalId": "agreed"}),
        {},
        {"external-id-unknown"},
    ),
    "sessions refused": (conditions(Null={"aws:TokenIssueTime": "true"}), {}, set()),
    "vendor that is a session refused": (
        conditions(Null={"aws:TokenIssueTime": True}),
        {"vendor_is_session": True},
        {"refuses-sessions"},
    ),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_conditions_for_the_vendor_are_judged(case: str) -> None:
    document, changes, found = CONDITIONS[case]
    assert faults(judge_trust(document, expected(**changes))) == found


def test_vendor_of_another_account_needs_a_condition() -> None:
    foreign = "arn:aws:iam::999999999999:user/vendor"
    document = policy(trusting({"AWS": foreign}))
    [finding] = judge_trust(document, expected(vendor_arn=foreign))
    assert (finding.id, finding.severity) == ("trust.condition-less", Severity.WARNING)


def test_vendor_that_is_a_role_is_known_without_its_path() -> None:
    document = policy(trusting({"AWS": SERVICE_ROLE}))
    vendor = f"arn:aws:iam::{ACCOUNT}:role/web"
    assert judge_trust(document, expected(vendor_arn=vendor, vendor_is_session=True)) == []


UNKNOWN: dict[str, tuple[Any, set[str]]] = {
    "one": (OWN, set()),
    "two": (trusting({"AWS": [VENDOR, OTHER]}), {"other-principal"}),
    "anybody": (trusting("*"), {"anyone"}),
    "nobody": ([], {"vendor-missing"}),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_one_exact_principal_may_be_a_vendor_that_is_not_known(case: str) -> None:
    statements, found = UNKNOWN[case]
    assert faults(judge_trust({"Statement": statements}, expected(vendor_arn=""))) == found


def test_finding_names_whom_and_under_which_condition() -> None:
    document = policy(OWN, trusting("*", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    [finding] = judge_trust(document, expected())
    assert '"*" (if Bool aws:securetransport true)' in finding.what


def test_change_names_the_vendor_and_the_external_id() -> None:
    [finding] = judge_trust(policy(OWN), expected(**AGREED))
    assert finding.change.startswith("aws iam update-assume-role-policy --role-name upload ")
    assert f'"Principal":{{"AWS":"{VENDOR}"}}' in finding.change
    assert '"sts:ExternalId":"agreed"' in finding.change


def test_exact_principals_are_users_and_roles() -> None:
    principals = [VENDOR, OTHER, ACCOUNT, "*", "AIDACKCEVSQ6C2EXAMPLE"]
    assert exact_principals(policy(trusting({"AWS": principals}))) == {VENDOR, OTHER}
