"""Logs are read whole, whatever they hold; a bad one is said to be bad and is not the end."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from credentials.operations.audit import trail_files
from credentials.operations.audit.trail_files import (
    Bucket,
    Directory,
    Fetched,
    Part,
    read_file,
    read_files,
    trail_file,
)
from tests.credentials.operations.audit.trail_records import (
    BUCKET,
    ROLE,
    WATCHED,
    Json,
    assumed,
    changed,
    denied,
    record,
    used,
    user,
)

ACCOUNT = "123456789012"


def log_name(at: str, region: str = "us-east-1") -> str:
    return f"{ACCOUNT}_CloudTrail_{region}_{at}Z_AbC123.json.gz"


def log_of(records: Iterable[Json], **layout: Any) -> bytes:
    layout = layout or {"separators": (",", ":")}
    return json.dumps({"Records": list(records)}, **layout).encode()


def read(content: bytes, *, compressed: bool = True) -> list[Part]:
    file = trail_file(log_name("20261123T1205"))
    assert file is not None
    data = gzip.compress(content) if compressed else content
    return list(read_file(Fetched(file, data), WATCHED).parts)


def figures(parts: list[Part]) -> tuple[int, int, str]:
    """Records, calls of ours, and the problem."""
    problem = " ".join(part.problem for part in parts if part.problem)
    return sum(part.records for part in parts), sum(len(part.calls) for part in parts), problem


LAYOUTS: list[dict[str, Any]] = [
    {},  # as AWS
    {"indent": 2},
    {"separators": (" , ", " : ")},
    {"sort_keys": True},
]


@pytest.mark.parametrize("piece", [64, 4096, trail_files.PIECE])
def test_pieces_of_any_size_hold_every_record(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_files, "PIECE", piece)
    monkeypatch.setattr(trail_files, "LARGEST_RECORD", piece + 4096)
    busy = record("ec2", "RunInstances", userIdentity=user(), requestParameters={"name": "x" * 99})
    records = [each for _ in range(30) for each in (used(), busy)]
    for layout in LAYOUTS:
        parts = read(log_of(records, **layout))
        assert figures(parts) == (60, 30, ""), layout
        assert len({call.event_id for part in parts for call in part.calls}) == 30, layout


def test_text_that_looks_like_the_end_of_a_record_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_files, "PIECE", 64)
    forged = [{"a": 1}, {"eventVersion": "1"}]
    records = [used(key='"},{"eventVersion":"'), used(parameters={"x": forged}), used()]
    assert figures(read(log_of(records))) == (3, 3, "")


def test_log_without_a_name_of_ours_is_only_counted() -> None:
    others = [record("ec2", "RunInstances", userIdentity=None) for _ in range(3)]
    assert figures(read(log_of(others))) == (3, 0, "")
    assert figures(read(log_of([]))) == (0, 0, "")


STRANGE = [
    {"userIdentity": ["nobody"]},
    {"eventTime": "soon"},
    {"eventTime": "2026-11-23T12:05:00Z\n"},
]


def test_record_of_another_form_costs_itself_alone() -> None:
    for members in STRANGE:
        strange = used() | members
        assert figures(read(log_of([used(), strange, used()]))) == (
            2,
            2,
            "1 of its records have another form than those of CloudTrail.",
        ), members


WHOLE = log_of([used(), used()])


def test_parameters_that_are_no_text_are_none() -> None:
    [part] = read(log_of([used(key="guide/builds/v1/x")]).replace(b"/v1/x", b"/v1/\xff"))
    assert [(call.bucket, call.key) for call in part.calls] == [("", None)]


NO_GZIP, NO_END = "It is not a complete gzip file.", "It is truncated, or not JSON."
NO_LOG = "It does not start like a CloudTrail log."
BAD: dict[str, tuple[bytes, bool, str]] = {
    "no gzip": (WHOLE, False, NO_GZIP),
    "half of a gzip file": (gzip.compress(WHOLE * 9)[:-20], False, NO_GZIP),
    "half of the records": (WHOLE[:-40], True, NO_END),
    "no JSON": (WHOLE.replace(b"eventTime", b'event"Time'), True, NO_END),
    "one of another form, then no JSON": (
        log_of([used() | {"eventTime": "soon"}] * 2).replace(b"eventName", b'event"Name'),
        True,
        NO_END,
    ),
    "too deep": (log_of([used()])[:-2] + b"," + b"[" * 9999 + BUCKET.encode(), True, NO_END),
    "something else": (b'{"logFiles":[]}', True, NO_LOG),
    "nothing": (b"", True, NO_END),
}


def test_bad_file_says_what_is_wrong_and_has_no_hash() -> None:
    for name, (content, compressed, problem) in BAD.items():
        parts = read(content, compressed=compressed)
        assert figures(parts)[2] == problem, name
        assert parts[-1].sha256 == "", name


@pytest.mark.parametrize("limit", ["LARGEST_RECORD", "LARGEST_CONTENT"])
def test_bomb_is_read_up_to_a_limit(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_files, limit, 1 << 19)
    bomb = WHOLE[:-2] + b' ,{"eventVersion":"' + b" " * (1 << 21)
    assert "the rest was not read" in figures(read(bomb))[2]


def test_records_before_a_fault_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_files, "PIECE", 512)
    assert figures(read(log_of(used() for _ in range(9))[:-40])) == (8, 8, NO_END)


def by(kind: str, **members: Any) -> Json:
    return {"type": kind, **members}


TAGS = [{"key": "Email", "value": "ada@example.org"}]
OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.org"
CENTER = {"userId": "1", "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1"}
# Shapes of AWS's guides and of public samples, values replaced, and how many calls of ours each is.
# Samples: flaws.cloud's logs (2017), Elastic's tests, Stratus Red Team's logs (2019 to 2024).
PUBLIC: dict[str, tuple[Json, int]] = {
    "2014, lists as parameters": (
        used("PutBucketAcl", key=None, parameters={"acl": [""]}, eventVersion="1.01"),
        1,
    ),
    "2017, root, who has no key": (
        used(userIdentity=by("Root", principalId=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:root")),
        0,
    ),
    "2019, members that are null": (
        used(userAgent=None, errorCode=None, vpcEndpointId="vpce-1", apiVersion="x"),
        1,
    ),
    "2019, tags of a session": (
        assumed()
        | {
            "requestParameters": {
                "incomingTransitiveTags": {"Team": "docs"},
                "tags": TAGS,
                "roleArn": ROLE,
                "roleSessionName": "x",
                "transitiveTagKeys": ["Email"],
            }
        },
        1,
    ),
    "2023, web identity that is refused": (
        denied(
            assumed(
                eventName="AssumeRoleWithWebIdentity",
                userIdentity=by("WebIdentityUser", principalId=f"{OIDC}:x", identityProvider=OIDC),
            ),
            message="An unknown error occurred",
        ),
        1,
    ),
    "2024, a service assumes the role": (
        assumed(
            userIdentity=by("AWSService", invokedBy="ec2.amazonaws.com"),
            sourceIPAddress="ec2.amazonaws.com",
        ),
        1,
    ),
    "2024, answer to a copy, TLS details": (
        used(
            "CopyObject",
            responseElements={"x-amz-server-side-encryption": "AES256"},
            tlsDetails={"tlsVersion": "TLSv1.3"},
        ),
        1,
    ),
    "2024, user of Identity Center, who has no ARN": (
        changed("iam", "DeleteRole", roleName="upload")
        | {"userIdentity": by("IdentityCenterUser", onBehalfOf=CENTER, credentialId="x")},
        1,
    ),
    "2025, CloudFront reads": (
        used("GetObject", userIdentity=by("AWSService", invokedBy="cloudfront.amazonaws.com")),
        0,
    ),
    "nobody reads": (
        used("GetObject", userIdentity=by("AWSAccount", principalId="", accountId="anonymous")),
        0,
    ),
}


def test_public_shapes_are_read_in_any_order_of_members() -> None:
    for name, (found, calls) in PUBLIC.items():
        turned = dict(reversed(found.items()))
        assert figures(read(log_of([found, turned]))) == (2, 2 * calls, ""), name


NAMES = {
    log_name("20261123T1205"): ("20261123T120500", "", ACCOUNT, "us-east-1"),
    f"{ACCOUNT}_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20261123T120131Z.json.gz": (
        "20261123T120131",
        "my_trail_us-east-1",
        ACCOUNT,
        "eu-west-1",
    ),
    log_name("20261399T9999"): ("", "", ACCOUNT, "us-east-1"),
    "a.json.gz": ("", "", "", ""),
}


def test_name_says_when_and_where_it_was_delivered() -> None:
    for name, expected in NAMES.items():
        file = trail_file(f"AWSLogs/{name}")
        assert file is not None, name
        assert (file.delivered, file.trail, file.account, file.region) == expected, name
        assert file.short_name == name, name


def test_what_is_kept_beside_logs_is_left_out() -> None:
    backfill = f"{ACCOUNT}_CloudTrail-Digest_r_t_r_20261123T120131Z_backfill.json.gz"
    insight = f"{ACCOUNT}_CloudTrail-Insight_us-east-1_20261123T1205Z_AbC.json.gz"
    assert [trail_file(each) for each in (backfill, insight)] == [None, None]


def fill(folder: Path) -> None:
    for minute in (10, 5):
        path = folder / "2026" / log_name(f"20261123T12{minute:02}")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(WHOLE))


def test_directory_is_read_in_the_order_of_delivery(tmp_path: Path) -> None:
    fill(tmp_path)
    source = Directory(tmp_path)
    files = sorted(source.files(""))
    found = list(read_files(source, files, watched=WATCHED, jobs=1))
    assert [each.fetched.file.delivered for each in found] == ["20261123T120500", "20261123T121000"]
    assert figures([part for each in found for part in each.parts]) == (4, 4, "")
    assert [file.delivered[9:13] for file in source.files("20261123T120501")] == ["1210"]


@pytest.mark.slow
def test_several_processes_find_the_same(tmp_path: Path) -> None:
    fill(tmp_path)
    source = Directory(tmp_path)
    files = sorted(source.files(""))
    one, two = (list(read_files(source, files, watched=WATCHED, jobs=jobs)) for jobs in (1, 2))
    assert [list(each.parts) for each in one] == [list(each.parts) for each in two]


def test_file_that_is_too_large_or_gone_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    [file, other] = sorted(Directory(tmp_path).files(""))
    monkeypatch.setattr(trail_files, "LARGEST_FILE", 9)
    Path(other.name).unlink()
    problems = [Directory(tmp_path).fetch(each).problem for each in (file, other)]
    assert ["was not read" in problems[0], "No such file" in problems[1]] == [True, True]


class FakeBucket:
    """A bucket's keys, as listings of S3 give them, and how many were listed."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = sorted(keys)
        self.listed = 0

    def get_paginator(self, _name: str) -> "FakeBucket":
        return self

    def paginate(self, **where: str) -> list[Json]:
        prefix, after = where["Prefix"], where.get("StartAfter", "")
        keys = [key for key in self.keys if key.startswith(prefix) and key > after]
        if "Delimiter" in where:
            folders = {prefix + key[len(prefix) :].split("/")[0] + "/" for key in keys}
            return [{"CommonPrefixes": [{"Prefix": each} for each in sorted(folders)]}]
        self.listed += len(keys)
        return [{"Contents": [{"Key": key} for key in keys]}]


LOGS = f"AWSLogs/{ACCOUNT}"
KEYS = [
    f"{LOGS}/CloudTrail/us-east-1/2026/11/22/{log_name('20261122T1205')}",
    f"{LOGS}/CloudTrail/us-east-1/2026/11/23/{log_name('20261123T1205')}",
    f"{LOGS}/CloudTrail/eu-west-1/2026/11/23/{log_name('20261123T1206', 'eu-west-1')}",
    f"{LOGS}/CloudTrail/us-east-1/2026/11/23/",
    f"{LOGS}/CloudTrail-Insight/us-east-1/2026/11/23/x.json.gz",
    f"{LOGS}/Config/us-east-1/2026/11/23/x.json.gz",
    "guide/builds/v1/index.json.gz",
]


def test_bucket_is_listed_from_any_folder_of_the_trail() -> None:
    for prefix in ["", "AWSLogs", LOGS, f"/{LOGS}/CloudTrail/"]:
        files = sorted(Bucket(FakeBucket(KEYS), "trail", prefix).files(""))
        assert [file.delivered for file in files] == [
            *("20261122T120500", "20261123T120500", "20261123T120600"),
        ], prefix


def test_bucket_is_listed_from_the_day_on() -> None:
    fake = FakeBucket(KEYS)
    source = Bucket(fake, "trail", f"{LOGS}/CloudTrail/us-east-1/")
    assert [file.delivered for file in source.files("20261123T000000")] == ["20261123T120500"]
    assert fake.listed == 2  # the folder itself too


def test_record_keeps_no_token_in_a_call() -> None:
    [part] = read(log_of([used(responseElements={"credentials": {"sessionToken": "SECRET"}})]))
    assert b"SECRET" not in msgspec.json.encode(part)
