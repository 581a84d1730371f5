"""The clock, the endpoints, the durations and the KMS key agree with each other."""

from collections.abc import Callable, Iterable
from typing import Any

from botocore.session import get_session

from credentials.operations.account.consistency import (
    TEXTS,
    Durations,
    judge_clock,
    judge_durations,
    judge_encryption,
    judge_endpoints,
    judge_key,
    judge_key_arn,
    judge_location,
)
from credentials.operations.findings import Finding, Severity

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/upload"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd"

# seconds ahead of the store -> severity, and which way
SKEWS: dict[float, tuple[Severity, str] | None] = {
    0: None,
    60: None,
    -60: None,
    61: (Severity.WARNING, "61 s ahead of the store's"),
    -61: (Severity.WARNING, "61 s behind the store's"),
    240: (Severity.WARNING, "240 s ahead of"),
    241: (Severity.ERROR, "241 s ahead of"),
    -100_000: (Severity.ERROR, "100000 s behind"),
}


def test_skew_is_judged() -> None:
    for ahead, expected in SKEWS.items():
        findings = list(judge_clock(ahead))
        if expected is None:
            assert findings == [], ahead
            continue
        assert (findings[0].rule, findings[0].severity) == ("clock.skewed", expected[0]), ahead
        assert expected[1] in findings[0].what, ahead


CEPH = "https://s3.example.org"
ENDPOINT_FIELDS = {
    "role_arn": ROLE,
    "region": REGION,
    "endpoint_url": "",
    "public_endpoint_url": "",
}
ENDPOINTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "AWS": ({}, []),
    "another store": ({"endpoint_url": CEPH}, []),
    "another store, some region": ({"endpoint_url": CEPH, "region": "us-gov-x"}, []),
    "AWS by name": (
        {"endpoint_url": "https://s3.eu-central-1.amazonaws.com"},
        ["endpoint.aws-named"],
    ),
    "own region": ({"public_endpoint_url": "https://s3.eu-central-1.amazonaws.com"}, []),
    "no region": ({"public_endpoint_url": "https://s3.amazonaws.com"}, []),
    "other region": (
        {"public_endpoint_url": "https://s3.us-west-2.amazonaws.com"},
        ["endpoint.other-region"],
    ),
    "other region, old form": (
        {"public_endpoint_url": "https://s3-us-west-2.amazonaws.com"},
        ["endpoint.other-region"],
    ),
    "other region, dual stack": (
        {"public_endpoint_url": "https://s3.dualstack.us-west-2.amazonaws.com"},
        ["endpoint.other-region"],
    ),
    "China": ({"region": "cn-north-1", "role_arn": "arn:aws-cn:iam::123456789012:role/u"}, []),
    "China and not": ({"region": "cn-north-1"}, ["endpoint.other-partition"]),
    "Europe's own": (
        {"region": "eusc-de-east-1", "role_arn": "arn:aws-eusc:iam::123456789012:role/u"},
        [],
    ),
    "Europe's own and not": ({"region": "eusc-de-east-1"}, ["endpoint.other-partition"]),
    "Europe's own endpoint": (
        {"public_endpoint_url": "https://s3.eusc-de-east-1.amazonaws.eu"},
        ["endpoint.other-region"],
    ),
    "Europe's own endpoint for the service": (
        {"endpoint_url": "https://s3.eusc-de-east-1.amazonaws.eu"},
        ["endpoint.aws-named"],
    ),
    "GovCloud and not": ({"region": "us-gov-west-1"}, ["endpoint.other-partition"]),
}


def test_regions_have_the_partitions_that_botocore_knows() -> None:
    session = get_session()
    for partition in session.get_available_partitions():
        role_arn = f"arn:{partition}:iam::123456789012:role/u"
        for region in session.get_available_regions("s3", partition_name=partition):
            fields = ENDPOINT_FIELDS | {"region": region, "role_arn": role_arn}
            assert list(judge_endpoints(**fields)) == [], region


def test_endpoints_are_judged() -> None:
    for case, (changes, ids) in ENDPOINTS.items():
        found = judge_endpoints(**(ENDPOINT_FIELDS | changes))
        assert [finding.rule for finding in found] == ids, case


LOCATIONS: dict[str, tuple[str | None, dict[str, Any], list[Severity]]] = {
    "the store's": ("eu-central-1", {}, []),
    "another": ("us-west-2", {}, [Severity.ERROR]),
    "first region": (None, {"region": "us-east-1"}, []),
    "first region, elsewhere": (None, {}, [Severity.ERROR]),
    "old name": ("EU", {"region": "eu-west-1"}, []),
    "no regions": (None, {"is_aws": False}, []),
    "zone group": ("default", {"is_aws": False}, []),
    "another store's region": ("us-west-2", {"is_aws": False}, [Severity.WARNING]),
}


def test_bucket_is_in_the_store_s_region() -> None:
    for case, (location, changes, severities) in LOCATIONS.items():
        place = {"region": REGION, "is_aws": True} | changes
        found = judge_location(location, **place)
        assert [(finding.rule, finding.severity) for finding in found] == [
            ("bucket.other-region", severity) for severity in severities
        ], case


HOURS = 12 * 3600
CHAINED = {"is_chained": True, "store": HOURS}
# the role's maximum, what else is set -> findings
LIFETIMES: dict[str, tuple[int | None, dict[str, Any], dict[str, str]]] = {
    "as said": (3600, {}, {}),
    "role longer": (HOURS, {}, {}),
    "not told": (None, {"store": HOURS}, {}),
    "role shorter": (3600, {"store": 3601}, {"role-shorter": "error"}),
    "default as long": (3600, {"default": 3600}, {}),
    "default over it": (3600, {"default": 7200}, {"default-capped": "warning"}),
    "product over it": (3600, {"products": {"a": 7200}}, {"product-capped": "warning"}),
    "product as long": (3600, {"products": {"a": 3600}}, {}),
    "product under it": (3600, {"products": {"a": 900}}, {}),
    "chained, an hour": (3600, {"is_chained": True}, {}),
    "chained, more only when asked": (HOURS, CHAINED, {"chained": "warning"}),
    "chained, an hour by default": (HOURS, CHAINED | {"default": 3600}, {"chained": "warning"}),
    "chained, an hour by a product": (
        HOURS,
        CHAINED | {"products": {"a": 3600}},
        {"chained": "warning"},
    ),
    "chained, more by default": (HOURS, CHAINED | {"default": 7200}, {"chained": "error"}),
    "chained, more by a product": (
        HOURS,
        CHAINED | {"products": {"a": 7200}},
        {"chained": "error"},
    ),
    "posts, an hour": (3600, {"posts": 21_600}, {"posts-short": "warning"}),
    "posts, three hours": (HOURS, {"posts": 10_800, "store": HOURS}, {}),
    "posts, a second less": (
        HOURS,
        {"posts": 10_799, "store": HOURS},
        {"posts-short": "warning"},
    ),
    "posts, chained": (
        HOURS,
        CHAINED | {"posts": 21_600},
        {"chained": "warning", "posts-short": "warning"},
    ),
    "user, more": (HOURS, {"store": HOURS, "default": 7200}, {}),
}


def durations(role: int | None, **changes: Any) -> Durations:
    known: dict[str, Any] = {"store": 3600, "default": 1800}
    return Durations(role=role, **(known | changes))


def test_durations_are_judged() -> None:
    for case, (role_seconds, changes, found) in LIFETIMES.items():
        findings = judge_durations(durations(role_seconds, **changes), set_up="manage.py x")
        rules = {finding.rule.removeprefix("lifetimes."): finding.severity for finding in findings}
        assert rules == {name: Severity(severity) for name, severity in found.items()}, case


def test_products_are_named() -> None:
    seconds = {"long": 7200, "short": 900}
    [finding] = judge_durations(durations(3600, products=seconds), set_up="")
    assert "long (7200)" in finding.what
    assert "short" not in finding.what


ARNS = {
    "the store's": (KEY, []),
    "another region": (KEY.replace("eu-central-1", "eu-west-1"), ["kms-key.other-region"]),
    "another partition": (KEY.replace("arn:aws:", "arn:aws-cn:"), ["kms-key.other-partition"]),
}


def test_arn_of_the_key_is_judged() -> None:
    for case, (arn, ids) in ARNS.items():
        assert [f.rule for f in judge_key_arn(arn, role_arn=ROLE, region=REGION)] == ids, case


USABLE = {"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}
KEYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "usable": (USABLE, []),
    "usable, spec not told": ({"KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT"}, []),
    "disabled": (USABLE | {"KeyState": "Disabled"}, ["kms-key.disabled"]),
    "soon deleted": (USABLE | {"KeyState": "PendingDeletion"}, ["kms-key.disabled"]),
    "for signing": (USABLE | {"KeyUsage": "SIGN_VERIFY"}, ["kms-key.unusable"]),
    "asymmetric": (USABLE | {"KeySpec": "RSA_2048"}, ["kms-key.unusable"]),
    "nothing told": ({}, ["kms-key.disabled", "kms-key.unusable"]),
}


def test_key_is_judged() -> None:
    for case, (metadata, ids) in KEYS.items():
        assert [finding.rule for finding in judge_key(metadata)] == ids, case


def by_kms(key: str | None, algorithm: str = "aws:kms") -> list[dict[str, Any]]:
    named = {"KMSMasterKeyID": key} if key else {}
    return [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **named}}]


# rules, the store's key -> whether something is found
ENCRYPTION = {
    "not set": ([], "", False),
    "nothing told": ([{}], "", False),
    "by S3": (by_kms(None, "AES256"), "", False),
    "by S3, though the store has a key": (by_kms(None, "AES256"), KEY, False),
    "by AWS's own key": (by_kms(None), "", False),
    "by AWS's own key, named": (by_kms("alias/aws/s3"), "", False),
    "by the store's key": (by_kms(KEY), KEY, False),
    "by the id of the store's key": (by_kms("1234abcd"), KEY, False),
    "by an alias that may be the key's": (by_kms("alias/docs"), KEY, False),
    "by an alias": (by_kms("alias/docs"), "", True),
    "by a key that is not named": (by_kms(KEY), "", True),
    "twice by a key that is not named": (by_kms(KEY, "aws:kms:dsse"), "", True),
    "by another key": (by_kms("5678"), KEY, True),
}


def test_key_of_the_bucket_is_judged() -> None:
    for case, (rules, key, is_found) in ENCRYPTION.items():
        found = [finding.rule for finding in judge_encryption(rules, key)]
        assert found == ["encryption.other-key"] * is_found, case


LONG = {"long": 7200, "longer": 9000, "short": 900}
# What a finding says, which names what was found.
SAYINGS: dict[str, tuple[Callable[[], Iterable[Finding]], str, str]] = {
    "clock": (
        lambda: judge_clock(90),
        "This machine's clock is 90 s ahead of the store's.",
        "timedatectl set-ntp true",
    ),
    "endpoint of AWS": (
        lambda: judge_endpoints(**ENDPOINT_FIELDS | {"endpoint_url": "https://s3.amazonaws.com"}),
        "The store's endpoint is one of AWS's, https://s3.amazonaws.com.",
        "by the region.",
    ),
    "public endpoint": (
        lambda: judge_endpoints(
            **ENDPOINT_FIELDS | {"public_endpoint_url": "https://s3.us-west-2.amazonaws.com"}
        ),
        "Clients are sent to us-west-2, and the store is in eu-central-1.",
        "or empty it.",
    ),
    "partition": (
        lambda: judge_endpoints(**ENDPOINT_FIELDS | {"region": "cn-north-1"}),
        "The role is in aws, and cn-north-1 is not.",
        "of one partition.",
    ),
    "location": (
        lambda: judge_location("us-west-2", region=REGION, is_aws=True),
        "The bucket is in us-west-2, and the store in eu-central-1.",
        "in the admin to us-west-2.",
    ),
    "role": (
        lambda: judge_durations(durations(900), set_up="manage.py x"),
        "The role's longest session is 900 s, and the store is said to allow 3600 s.",
        "to 900, or the role's own:\nmanage.py x",
    ),
    "chained": (
        lambda: judge_durations(durations(None, store=HOURS, is_chained=True), set_up=""),
        "This service runs under a role, whose sessions get 3600 s at most; the store is said to "
        "allow 43200 s.",
        "with a user's key.",
    ),
    "chained, more": (
        lambda: judge_durations(
            durations(None, store=HOURS, is_chained=True, default=4000, products=LONG), set_up=""
        ),
        "This service runs under a role, whose sessions get 3600 s at most; the store is said to "
        "allow 43200 s, and more is set: long (7200), longer (9000), LTD_SESSION_SECONDS (4000).",
        "with a user's key.",
    ),
    "default": (
        lambda: judge_durations(durations(None, default=4000), set_up=""),
        "LTD_SESSION_SECONDS is 4000, and the store allows 3600 s.",
        "or raise the role's longest session.",
    ),
    "products": (
        lambda: judge_durations(durations(None, products=LONG), set_up=""),
        "Session durations of products are long (7200), longer (9000), and the store allows "
        "3600 s.",
        "or raise the role's longest session.",
    ),
    "posts": (
        lambda: judge_durations(durations(None, posts=900), set_up=""),
        "Presigned POSTs are valid for 900 s, which is less than three hours.",
        "gets 3600 s at most.",
    ),
    "posts of a service under a role": (
        lambda: judge_durations(
            durations(None, store=1800, is_chained=True, posts=21_600), set_up=""
        ),
        "Presigned POSTs are valid for 1800 s, which is less than three hours.",
        "gets 3600 s at most.",
    ),
    "key of another partition": (
        lambda: judge_key_arn(KEY.replace("arn:aws:", "arn:aws-cn:"), role_arn=ROLE, region=REGION),
        "The key is in aws-cn, and the store in aws.",
        "to the key of its bucket.",
    ),
    "key of another region": (
        lambda: judge_key_arn(KEY, role_arn=ROLE, region="eu-west-1"),
        "The key is in eu-central-1, and the store in eu-west-1.",
        "to the key of its bucket.",
    ),
    "key's state": (
        lambda: judge_key(USABLE | {"KeyState": "Disabled"}),
        "The key's state is Disabled.",
        "if that is planned.",
    ),
    "key's use": (
        lambda: judge_key(USABLE | {"KeyUsage": "SIGN_VERIFY", "KeySpec": "RSA_2048"}),
        "The key is for SIGN_VERIFY with RSA_2048; S3 needs a symmetric one that encrypts.",
        "in the admin to it.",
    ),
    "encryption": (
        lambda: judge_encryption(by_kms("5678"), ""),
        "The bucket encrypts with 5678, and the store names none.",
        "in the admin to 5678, then run bootstrap_store.",
    ),
    "encryption, another": (
        lambda: judge_encryption(by_kms("5678"), KEY),
        f"The bucket encrypts with 5678, and the store names {KEY}.",
        "in the admin to 5678, then run bootstrap_store.",
    ),
}


def test_finding_names_what_was_found_and_what_to_change() -> None:
    for case, (judge, what, change) in SAYINGS.items():
        [finding] = judge()
        assert (finding.what, finding.change.endswith(change)) == (what, True), case
        assert finding.why == TEXTS[finding.rule][1], case
