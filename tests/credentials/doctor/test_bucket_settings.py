"""The bucket's settings: public access, ACLs, unfinished uploads."""

from typing import Any

import pytest

from credentials.doctor.bucket_settings import judge_lifecycle, judge_ownership, judge_public_access
from credentials.doctor.findings import Severity
from tests.credentials.doctor.aws_account import expected

ON = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
ELSEWHERE = {"endpoint_url": "https://s3.example.org"}

ACCESS: dict[str, tuple[dict[str, bool], dict[str, Any], list[Severity]]] = {
    "all four": (ON, {}, []),
    "none": ({}, {}, [Severity.ERROR]),
    **{f"no {name}": (ON | {name: False}, {}, [Severity.ERROR]) for name in ON},
    "what another store cannot hold": (
        ON | {"BlockPublicAcls": False},
        ELSEWHERE,
        [Severity.WARNING],
    ),
    "what another store can hold": (
        {**ON, "BlockPublicPolicy": False},
        ELSEWHERE,
        [Severity.ERROR],
    ),
    "ACLs that the store takes": (
        ON | {"BlockPublicAcls": False, "IgnorePublicAcls": False},
        {"takes_acls": True},
        [],
    ),
}


@pytest.mark.parametrize("case", ACCESS)
def test_public_access_is_blocked(case: str) -> None:
    flags, changes, severities = ACCESS[case]
    found = list(judge_public_access(flags, expected(**changes)))
    assert [finding.severity for finding in found] == severities


def test_flags_that_are_off_are_named() -> None:
    [finding] = judge_public_access(ON | {"IgnorePublicAcls": False}, expected())
    assert finding.what == "Public access is not blocked: IgnorePublicAcls off."


# rules, whether the store takes ACLs -> finding
OWNERSHIP = {
    "off": (["BucketOwnerEnforced"], False, []),
    "on": (["ObjectWriter"], False, ["acls.on"]),
    "preferred": (["BucketOwnerPreferred"], False, ["acls.on"]),
    "not set": ([], False, ["acls.on"]),
    "on as wanted": (["ObjectWriter"], True, []),
    "off though wanted": (["BucketOwnerEnforced"], True, ["acls.off"]),
}


@pytest.mark.parametrize("case", OWNERSHIP)
def test_bucket_takes_acls_only_where_the_store_does(case: str) -> None:
    names, takes_acls, ids = OWNERSHIP[case]
    rules = [{"ObjectOwnership": name} for name in names]
    found = judge_ownership(rules, expected(takes_acls=takes_acls))
    assert [finding.id for finding in found] == ids


def rule(days: int = 7, **changes: Any) -> dict[str, Any]:
    ending = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}}
    return {"Status": "Enabled", "Filter": {"Prefix": ""}, **ending, **changes}


LIFECYCLE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a week": ([rule()], ""),
    "a day, second of two": ([rule(30), rule(1)], ""),
    "no filter": ([rule(Filter={})], ""),
    "old form": ([{"Status": "Enabled", "Prefix": "", **rule()} | {"Filter": None}], ""),
    "none": ([], "never removed"),
    "too late": ([rule(30)], "removed only after 30 days"),
    "disabled": ([rule(Status="Disabled")], "never removed"),
    "another prefix": ([rule(Filter={"Prefix": "logs/"})], "never removed"),
    "another prefix, old form": ([rule(Prefix="logs/") | {"Filter": None}], "never removed"),
    "by a tag": ([rule(Filter={"Tag": {"Key": "a", "Value": "b"}})], "never removed"),
    "another purpose": ([{"Status": "Enabled", "Expiration": {"Days": 1}}], "never removed"),
}


@pytest.mark.parametrize("case", LIFECYCLE)
def test_unfinished_uploads_are_removed(case: str) -> None:
    rules, told = LIFECYCLE[case]
    found = [finding.what for finding in judge_lifecycle(rules, expected())]
    assert found == [f"Unfinished uploads are {told}."] * bool(told)


def test_change_keeps_the_rules_that_there_are() -> None:
    [finding] = judge_lifecycle([rule(ID="mine", Status="Disabled")], expected())
    assert '"ID":"mine"' in finding.change
    assert '"ID":"ltdkeeper-unfinished-uploads"' in finding.change
