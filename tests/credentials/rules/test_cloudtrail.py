"""What a record says, told from everything that looks like it."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from credentials.operations.findings import Rule
from credentials.rules.cloudtrail import (
    CHANGES,
    Breach,
    Call,
    Kind,
    LedgerSession,
    Record,
    Watched,
    is_outside,
    judge,
    moment,
    recognise,
)
from tests.credentials.operations.audit.trail_records import (
    ADDRESS,
    FAULTS,
    LEDGER_ID,
    ROLE,
    ROLE_ID,
    SESSION,
    SESSIONS,
    TRAPS,
    VENDOR,
    WATCHED,
    Case,
    Json,
    assumed,
    changed,
    denied,
    in_bucket_account,
    listed,
    record,
    used,
)


def call_of(found: Json) -> Call | None:
    return recognise(msgspec.json.decode(msgspec.json.encode(found), type=Record), WATCHED)


def breaches(case: Case) -> list[Breach]:
    """As the audit joins: by access key id, or else by name."""
    call = call_of(case.make())
    session = msgspec.structs.replace(SESSION, **case.session)
    if call is None:
        return []
    is_joined = session.access_key_id == call.access_key_id or session.ledger_id == call.ledger_id
    return list(judge(call, session if is_joined else None))


def test_rules_are_among_those_of_audits() -> None:
    assert {*Breach} < {*Rule}


def test_fault_breaks_its_rule_alone() -> None:
    found = {name: breaches(fault) for name, fault in FAULTS.items()}
    assert found == {name: [fault.rule] for name, fault in FAULTS.items()}


def test_what_only_looks_like_a_fault_breaks_none() -> None:
    assert {name: found for name, trap in TRAPS.items() if (found := breaches(trap))} == {}


def test_call_may_break_several_rules() -> None:
    revoked = {"revoked_at": "2026-11-23T12:00:00Z"}
    case = Case(lambda: used(at="12:31:00", key="x", sourceIPAddress="::1"), None, revoked)
    assert breaches(case) == [
        Breach.OUTSIDE_ROOT,
        Breach.AFTER_REVOCATION,
        Breach.AFTER_EXPIRY,
        Breach.OTHER_ADDRESS,
    ]


def test_use_has_what_was_done_and_by_which_session() -> None:
    found = denied(used("CopyObject", key="k", parameters={"x-amz-copy-source": "/b/s%20s?v=1"}))
    assert call_of(found) == Call(
        kind=Kind.USED,
        event_id=found["eventID"],
        at="2026-11-23T12:05:00Z",
        action="s3:CopyObject",
        caller=f"{SESSIONS}/{LEDGER_ID}-guide",
        target="docs-bucket/k",
        error="AccessDenied",
        address=ADDRESS,
        access_key_id=SESSION.access_key_id,
        session_name=f"{LEDGER_ID}-guide",
        principal_id=SESSION.assumed_role_id,
        role_arn=ROLE,
        bucket="docs-bucket",
        key="k",
        source="b/s s",
    )


def test_assumption_has_who_assumed_what() -> None:
    found = assumed("ASIAKEY", "mallory")
    assert call_of(found) == Call(
        kind=Kind.ASSUMED,
        event_id=found["eventID"],
        at="2026-11-23T11:59:00Z",
        action="sts:AssumeRole",
        caller=VENDOR,
        target=f"{ROLE} as mallory",
        address=ADDRESS,
        access_key_id="ASIAKEY",
        session_name="mallory",
        role_arn=ROLE,
    )


def test_change_has_who_changed_what() -> None:
    found = changed("iam", "DeleteRole", roleName="upload")
    assert call_of(found) == Call(
        kind=Kind.CHANGED,
        event_id=found["eventID"],
        at="2026-11-23T12:05:00Z",
        action="iam:DeleteRole",
        caller=VENDOR,
        target="upload",
        address=ADDRESS,
    )


def test_every_change_is_one_of_a_named_thing() -> None:
    for source, name in CHANGES:
        parameter = CHANGES[source, name]
        ours = {"roleName": "upload", "bucketName": "docs-bucket"}
        found = changed("", name, **{parameter: ours.get(parameter, f"{ROLE}-boundary")})
        found |= {"eventSource": source}
        policies = frozenset({f"{ROLE}-boundary"})
        watched = Watched(roles=WATCHED.roles, buckets=WATCHED.buckets, policy_arns=policies)
        read = msgspec.json.decode(msgspec.json.encode(found), type=Record)
        assert recognise(read, watched) is not None, source
        other = changed("", name, **{parameter: "other"}) | {"eventSource": source}
        assert call_of(other) is None, source


TARGETS: dict[str, tuple[Json, str]] = {
    "object": (used(key="a/b"), "docs-bucket/a/b"),
    "empty prefix": (listed(None), "docs-bucket/"),
    "prefix": (listed("a"), "docs-bucket/a"),
    "bucket": (used("GetBucketPolicy", key=None), "docs-bucket"),
    "role": (assumed(userIdentity=used()["userIdentity"]), ROLE),
    "message": (
        denied(record("iam", "ListUsers", userIdentity=used()["userIdentity"]), message="no"),
        "no",
    ),
    "unnamed session": (
        denied(assumed(requestParameters=None), message=f"on resource: {ROLE}"),
        f"{ROLE} as an unknown name",
    ),
    "prefix of other services": (
        record("ecs", "ListX", userIdentity=used()["userIdentity"]),
        "",
    ),
}


def test_target_is_what_the_call_reached_for() -> None:
    for name, (found, target) in TARGETS.items():
        call = call_of(found)
        assert call is not None, name
        assert call.target == target, name


CALLERS: dict[str, tuple[Json, str]] = {
    "arn": ({"arn": "an-arn", "principalId": "p"}, "an-arn"),
    "principal": ({"principalId": "p", "invokedBy": "s"}, "p"),
    "service": ({"invokedBy": "s"}, "s"),
    "nobody": ({}, "somebody"),
}


def test_caller_is_the_best_name_there_is() -> None:
    for name, (identity, caller) in CALLERS.items():
        call = call_of(assumed(userIdentity=identity))
        assert call is not None, name
        assert call.caller == caller, name


def test_copies_of_an_event_have_one_id() -> None:
    copies = [used(sharedEventID="one"), in_bucket_account(used(sharedEventID="one"))]
    assert [call and call.event_id for call in map(call_of, copies)] == ["one", "one"]


def test_session_of_another_account_is_known_by_its_name() -> None:
    call = call_of(in_bucket_account(used()))
    assert call is not None
    assert (call.access_key_id, call.ledger_id, call.role_arn) == ("", LEDGER_ID, "")
    assert call.caller == f"{ROLE_ID}:{LEDGER_ID}-guide"


def test_session_without_an_assumed_role_id_is_known_by_its_name_alone() -> None:
    case = FAULTS["denied in the bucket's account"]
    unknown = {"assumed_role_id": ""}
    assert breaches(Case(case.make, None, unknown)) == [Breach.DENIED]


UNREADABLE: dict[str, Any] = {"text": "x", "list": ["x"], "number": 1, "none": None}


def test_parameters_of_any_form_are_read() -> None:
    for name, expected in UNREADABLE.items():
        strange = {"requestParameters": expected, "responseElements": expected}
        call = call_of(used() | strange)
        assert call is not None, name
        assert (call.bucket, call.key) == ("", None), name
        assert call_of(assumed() | strange) is None, name
        answered = call_of(assumed(responseElements={"credentials": expected}))
        assert answered is not None, name
        assert answered.access_key_id == "", name


def test_role_without_an_account_is_found_by_its_name() -> None:
    role = "arn:aws:iam:::role/path/upload"
    watched = Watched(
        roles={"arn:aws:sts:::assumed-role/upload": role},
        buckets=frozenset(),
        policy_arns=frozenset(),
    )
    assert watched.role_names_in("123456789012") == {"upload"}


def test_needles_are_in_every_record_however_it_is_escaped() -> None:
    roles = {"arn:aws:sts::1:assumed-role/a+role-name": "arn:aws:iam::1:role/path/a+role-name"}
    watched = Watched(roles=roles, buckets=frozenset({"docs-bucket"}), policy_arns=frozenset())
    assert watched.needles == {b"role-name", b"docs-bucket"}


def outside(session: LedgerSession = SESSION, **changes: Any) -> bool:
    call = call_of(used())
    assert call is not None
    return is_outside(msgspec.structs.replace(call, **changes), session)


PLACES = {
    "inside": ({}, False),
    "another service": ({"action": "s3express:PutObject"}, True),
    "another bucket": ({"bucket": "other"}, True),
    "copy within": ({"source": f"docs-bucket/{SESSION.root}/x"}, False),
    "copy of its neighbour": ({"source": f"docs-bucket/{SESSION.root}0/x"}, True),
    "copy of a bucket of the same path": ({"source": f"other/{SESSION.root}/x"}, True),
    "no key": ({"key": None}, True),
    "no key where there is none": ({"key": None, "action": "s3:PostObject"}, False),
    "empty key": ({"key": ""}, True),
}


def test_inside_is_the_build_and_nothing_else() -> None:
    for name, (changes, expected) in PLACES.items():
        assert outside(**changes) is expected, name


def test_moment_is_as_records_have_it() -> None:
    assert moment(datetime(2026, 11, 23, 12, 5, tzinfo=UTC)) == "2026-11-23T12:05:00Z"


def test_whoever_is_no_session_of_ours_is_left_out() -> None:
    for identity in [
        {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/o/n", "principalId": "A:n"},
        {"type": "AWSAccount", "principalId": "AIDAEXAMPLE"},
        {"type": "AWSAccount"},
    ]:
        assert call_of(used(userIdentity=identity)) is None, identity


def test_what_a_record_lacks_is_empty() -> None:
    identity = {"type": "AssumedRole", "arn": f"{SESSIONS}/n"}
    source = {"x-amz-copy-source": "/Xb/s"}
    found = call_of(
        used("CopyObject", userIdentity=identity, sourceIPAddress=None, parameters=source)
    )
    assert found is not None
    assert (found.address, found.principal_id, found.source) == ("", "", "Xb/s")


FROM, UNTIL, LATER = SESSION.asked_from, SESSION.asked_until, "2027-01-01T00:00:00Z"


def test_assumption_is_known_by_its_key_or_its_moment() -> None:
    for at, key, own_key, is_known in [
        (FROM, "ASIAOTHER", "ASIAOWN", True),
        (UNTIL, "ASIAOTHER", "ASIAOWN", True),
        (LATER, "ASIAOTHER", "ASIAOWN", False),
        (LATER, "ASIAOWN", "ASIAOWN", True),
        (LATER, "", "", False),
    ]:
        call = Call(
            kind=Kind.ASSUMED,
            event_id="e",
            at=at,
            action="sts:AssumeRole",
            caller="c",
            access_key_id=key,
            role_arn=SESSION.role_arn,
        )
        session = msgspec.structs.replace(SESSION, access_key_id=own_key)
        assert list(judge(call, session)) == ([] if is_known else [Breach.UNKNOWN]), at
