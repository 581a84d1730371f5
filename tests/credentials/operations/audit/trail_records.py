"""Records of CloudTrail as AWS writes them: clean ones, faults, and what a reader stumbles over.

Shapes from records that were met and from AWS's guides, values made up.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import msgspec

from builds.models import Store
from credentials.models import Revocation
from credentials.rules.cloudtrail import Breach, LedgerSession, Watched
from credentials.rules.revocation import POLICY_NAME
from tests.credentials.ledger_rows import failed_row, issued_row

ACCOUNT, BUCKET, ROLE_ID = "123456789012", "docs-bucket", "AROAEXAMPLEEXAMPLE0"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/upload"
SESSIONS = f"arn:aws:sts::{ACCOUNT}:assumed-role/upload"
POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/upload-boundary"
VENDOR = f"arn:aws:iam::{ACCOUNT}:user/ltdkeeper-vendor"
WATCHED = Watched(
    roles={SESSIONS: ROLE}, buckets=frozenset({BUCKET}), policy_arns=frozenset({POLICY_ARN})
)
LEDGER_ID = "01kb2m5v3xq8w9e7r6t5y4p3d2"
SESSION = LedgerSession(
    ledger_id=LEDGER_ID,
    access_key_id="ASIAEXAMPLEEXAMPLE01",
    assumed_role_id=f"{ROLE_ID}:{LEDGER_ID}-guide",
    role_arn=ROLE,
    is_issued=True,
    is_probe=False,
    bucket=BUCKET,
    root="guide/builds/v1",
    build_id=None,
    ip_hex="00000000000000000000ffffc0000207",
    asked_from="2026-11-23T11:58:00Z",
    asked_until="2026-11-23T12:00:00Z",
    expires_at="2026-11-23T12:30:00Z",
    revoked_at="",
)
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
ADDRESS, BEFORE, DURING, LATER = "192.0.2.7", "11:59:00", "12:05:00", "12:31:00"

Json = dict[str, Any]
_numbers = count(1)


def record(source: str, name: str, at: str = DURING, **members: Any) -> Json:
    """What every record has."""
    number = next(_numbers)
    return {
        "eventVersion": "1.09",
        "userIdentity": None,
        "eventTime": f"2026-11-23T{at}Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": ADDRESS,
        "userAgent": "[Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux md/pyimpl#CPython]",
        "requestParameters": None,
        "responseElements": None,
        "requestID": f"{number:016X}",
        "eventID": f"{number:08x}-0000-4000-8000-{number:012x}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": source != "s3",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data" if source == "s3" else "Management",
    } | members


def user(arn: str = VENDOR) -> Json:
    name = arn.rpartition("/")[2]
    return {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEEXAMPLE01",
        "arn": arn,
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAEXAMPLEEXAMPLE01",
        "userName": name,
    }


def session_user(name: str = f"{LEDGER_ID}-guide", key: str = SESSION.access_key_id) -> Json:
    issuer = {
        "type": "Role",
        "principalId": ROLE_ID,
        "arn": ROLE,
        "accountId": ACCOUNT,
        "userName": "upload",
    }
    attributes = {"creationDate": f"2026-11-23T{BEFORE}Z", "mfaAuthenticated": "false"}
    return {
        "type": "AssumedRole",
        "principalId": f"{ROLE_ID}:{name}",
        "arn": f"{SESSIONS}/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer, "attributes": attributes},
    }


def assumed(
    key: str = SESSION.access_key_id,
    name: str = f"{LEDGER_ID}-guide",
    at: str = BEFORE,
    *,
    expiration: str = "Nov 23, 2026, 12:29:00 PM",
    token: str = HIDDEN,
    role: str = ROLE,
    **members: Any,
) -> Json:
    parameters = {"roleArn": role, "roleSessionName": name, "durationSeconds": 1800}
    answer = {
        "credentials": {"accessKeyId": key, "expiration": expiration, "sessionToken": token},
        "assumedRoleUser": {"assumedRoleId": f"{ROLE_ID}:{name}", "arn": f"{SESSIONS}/{name}"},
    }
    resources = [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": role}]
    return record("sts", "AssumeRole", at) | {
        "userIdentity": user(),
        "requestParameters": parameters,
        "responseElements": answer,
        "resources": resources,
        **members,
    }


def used(
    name: str = "PutObject",
    at: str = DURING,
    *,
    key: str | None = f"{SESSION.root}/index.html",
    bucket: str = BUCKET,
    parameters: Json | None = None,
    **members: Any,
) -> Json:
    """A call of the session at S3; with `key=None` one about a bucket."""
    about = {"bucketName": bucket, "Host": f"{bucket}.s3.amazonaws.com"}
    about |= ({} if key is None else {"key": key}) | (parameters or {})
    return record("s3", name, at) | {
        "userIdentity": session_user(),
        "requestParameters": about,
        "additionalEventData": {"SignatureVersion": "SigV4", "bytesTransferredIn": 12},
        "resources": [
            {"type": "AWS::S3::Object", "ARNPrefix": f"arn:aws:s3:::{bucket}/"},
            {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
        ],
        **members,
    }


def listed(prefix: str | None, **members: Any) -> Json:
    found = {} if prefix is None else {"prefix": prefix}
    return used("ListObjects", key=None, parameters={"list-type": "2"} | found, **members)


def denied(call: Json, error: str = "AccessDenied", message: str = "Access Denied") -> Json:
    return call | {"errorCode": error, "errorMessage": message, "responseElements": None}


def in_bucket_account(call: Json, principal_id: str = SESSION.assumed_role_id) -> Json:
    """The same call as the trail of the bucket's account has it, if the role is another's."""
    identity = {"type": "AWSAccount", "principalId": principal_id, "accountId": "999999999999"}
    return call | {"userIdentity": identity}


def changed(source: str, name: str, by: str = VENDOR, **parameters: Any) -> Json:
    return record(source, name) | {"userIdentity": user(by), "requestParameters": parameters}


def other_service(source: str, name: str, **parameters: Any) -> Json:
    return record(source, name) | {
        "userIdentity": session_user(),
        "requestParameters": parameters,
    }


def revocations(effect: str) -> Json:
    document = f'{{"Statement":[{{"Effect":"Deny"}},{{"Effect":"{effect}"}}]}}'
    return changed(
        "iam", "PutRolePolicy", roleName="upload", policyName=POLICY_NAME, policyDocument=document
    )


NOT_AUTHORIZED = f"User: {SESSIONS}/x is not authorized to perform: sts:AssumeRole on resource: "
BESIDE = "guide/builds/v10/index.html"


class Case(NamedTuple):
    """A record, the rule that it breaks, and what else the ledger has of the session."""

    make: Callable[[], Json]
    rule: Breach | None
    session: Json


def fault(rule: Breach, make: Callable[[], Json], **session: Any) -> Case:
    return Case(make, rule, session)


def trap(make: Callable[[], Json], **session: Any) -> Case:
    return Case(make, None, session)


REVOKED, PROBE = {"revoked_at": "2026-11-23T12:04:59Z"}, {"is_probe": True}
STRANGER = "ASIASTRANGERSTRANGER"
B = Breach
FAULTS = {
    "session that nobody issued": fault(B.UNKNOWN, lambda: assumed(STRANGER, "mallory")),
    "name of a session taken later": fault(B.UNKNOWN, lambda: assumed(STRANGER, at="12:00:01")),
    "name of a session taken before": fault(B.UNKNOWN, lambda: assumed(STRANGER, at="11:57:59")),
    "role assumed through SAML": fault(
        B.UNKNOWN, lambda: assumed(STRANGER, "mallory", eventName="AssumeRoleWithSAML")
    ),
    "own key, but for another role": fault(B.UNKNOWN, assumed, role_arn=f"{ROLE}-2"),
    "unknown session used": fault(B.UNKNOWN, lambda: used(userIdentity=session_user(key=STRANGER))),
    "unknown session asks who it is": fault(
        B.UNKNOWN,
        lambda: (
            other_service("sts", "GetCallerIdentity") | {"userIdentity": session_user(key=STRANGER)}
        ),
    ),
    "session used that nobody was given": fault(B.UNKNOWN, used, is_issued=False),
    "used after revocation": fault(B.AFTER_REVOCATION, used, **REVOKED),
    "used after expiry": fault(B.AFTER_EXPIRY, lambda: used(at=LATER)),
    "object beside the root": fault(B.OUTSIDE_ROOT, lambda: used(key=BESIDE)),
    "object in another bucket": fault(B.OUTSIDE_ROOT, lambda: used(bucket="other")),
    "object looked for outside": fault(
        B.OUTSIDE_ROOT, lambda: denied(used("GetObject", key=BESIDE), "NoSuchKey")
    ),
    "bucket listed": fault(B.OUTSIDE_ROOT, lambda: listed(None)),
    "sibling listed": fault(B.OUTSIDE_ROOT, lambda: listed("guide/builds/v10")),
    "copy of another build": fault(
        B.OUTSIDE_ROOT,
        lambda: used("CopyObject", parameters={"x-amz-copy-source": f"/{BUCKET}/{BESIDE}"}),
    ),
    "copy of a neighbour with a question mark": fault(
        B.OUTSIDE_ROOT,
        lambda: used(
            "CopyObject", parameters={"x-amz-copy-source": f"{BUCKET}/{SESSION.root}%3Fx/y"}
        ),
    ),
    "copy in parts, encoded": fault(
        B.OUTSIDE_ROOT,
        lambda: used(
            "UploadPartCopy", parameters={"x-amz-copy-source": f"{BUCKET}%2Fguide/builds/v10/x"}
        ),
    ),
    "settings of the bucket read": fault(B.OUTSIDE_ROOT, lambda: used("GetBucketPolicy", key=None)),
    "another service": fault(B.OUTSIDE_ROOT, lambda: other_service("ec2", "DescribeInstances")),
    "denied outside": fault(B.DENIED, lambda: denied(used(key=BESIDE))),
    "denied at another service": fault(
        B.DENIED,
        lambda: denied(other_service("ec2", "RunInstances"), "Client.UnauthorizedOperation"),
    ),
    "denied inside": fault(B.DENIED, lambda: denied(used("GetObject"))),
    "denied in the bucket's account": fault(
        B.DENIED, lambda: in_bucket_account(denied(used(key=BESIDE)))
    ),
    "denied role of a session": fault(
        B.DENIED,
        lambda: denied(
            assumed(userIdentity=session_user(), requestParameters=None),
            message=f"{NOT_AUTHORIZED}{ROLE}",
        ),
    ),
    "denied role of a stranger": fault(
        B.DENIED,
        lambda: denied(assumed(requestParameters=None), message=f"{NOT_AUTHORIZED}{ROLE}"),
    ),
    "denied role, with the reason after it": fault(
        B.DENIED,
        lambda: denied(
            assumed(userIdentity=user(f"{VENDOR}-2"), requestParameters=None),
            message=f"{NOT_AUTHORIZED}{ROLE} with an explicit deny in an identity-based policy",
        ),
    ),
    "role chained": fault(
        B.CHAINED, lambda: assumed("ASIAOTHER", userIdentity=session_user(), at=DURING)
    ),
    "another address": fault(B.OTHER_ADDRESS, lambda: used(sourceIPAddress="198.51.100.1")),
    "forged agent of AWS": fault(
        B.OTHER_ADDRESS, lambda: used(sourceIPAddress="198.51.100.1", userAgent="AWS Internal")
    ),
    "role's policy written": fault(
        B.ACCOUNT_CHANGED,
        lambda: changed("iam", "AttachRolePolicy", roleName="upload", policyArn="a"),
    ),
    "trust changed": fault(
        B.ACCOUNT_CHANGED, lambda: changed("iam", "UpdateAssumeRolePolicy", roleName="upload")
    ),
    "boundary removed": fault(
        B.ACCOUNT_CHANGED,
        lambda: changed("iam", "DeleteRolePermissionsBoundary", roleName="upload"),
    ),
    "boundary's document changed": fault(
        B.ACCOUNT_CHANGED, lambda: changed("iam", "CreatePolicyVersion", policyArn=POLICY_ARN)
    ),
    "bucket's policy written": fault(
        B.ACCOUNT_CHANGED, lambda: changed("s3", "PutBucketPolicy", bucketName=BUCKET)
    ),
    "policy of revocations that allows": fault(B.ACCOUNT_CHANGED, lambda: revocations("Allow")),
}
# All others are errors.
WARNINGS = {"denied inside", "another address", "forged agent of AWS"}
TRAPS = {
    "session of the ledger": trap(assumed),
    "expiration with one comma": trap(lambda: assumed(expiration="Nov 23, 2026 12:29:00 PM")),
    "real session token": trap(lambda: assumed(token="IQoJb3JpZ2luX2VjEXAMPLETOKEN")),
    "first answer of a call that was tried again": trap(lambda: assumed("ASIALOST")),
    "role of others": trap(lambda: assumed("ASIAOTHER", "alice", role=f"{ROLE}er")),
    "object put": trap(used),
    "root itself": trap(lambda: used(key=SESSION.root)),
    "last second of its life": trap(lambda: used(at="12:30:00")),
    "second of its revocation": trap(used, revoked_at="2026-11-23T12:05:00Z"),
    "build listed": trap(lambda: listed(f"{SESSION.root}/")),
    "bare root listed": trap(lambda: listed(SESSION.root)),
    "where the bucket is": trap(lambda: used("GetBucketLocation", key=None)),
    "several deleted": trap(lambda: used("DeleteObjects", key=None, parameters={"delete": ""})),
    "copy within the build": trap(
        lambda: used(
            "CopyObject", parameters={"x-amz-copy-source": f"{BUCKET}/{SESSION.root}/a?versionId=1"}
        )
    ),
    "copy's second record": trap(lambda: used("GetObject", sourceIPAddress="AWS Internal")),
    "address as IPv6": trap(lambda: used(sourceIPAddress="::ffff:192.0.2.7")),
    "caller asks who it is": trap(lambda: other_service("sts", "GetCallerIdentity")),
    "key of KMS": trap(lambda: other_service("kms", "GenerateDataKey", encryptionAlgorithm="X")),
    "not there, inside": trap(lambda: denied(used("GetObject"), "NoSuchKey")),
    "store too busy": trap(lambda: denied(used(key=BESIDE), "SlowDown")),
    "probe refused": trap(lambda: denied(used(key=BESIDE)), **PROBE),
    "revoked one refused": trap(lambda: denied(used()), **REVOKED),
    "role refused to the service": trap(
        lambda: denied(assumed(responseElements=None)), access_key_id=""
    ),
    "stranger in the bucket's account": trap(
        lambda: in_bucket_account(denied(used(key=BESIDE)), "AIDAEXAMPLE")
    ),
    "somebody of the same session name": trap(
        lambda: in_bucket_account(denied(used(key=BESIDE)), f"AROAOTHER:{LEDGER_ID}-guide")
    ),
    "bucket read by its owner": trap(lambda: used(key=BESIDE, userIdentity=user())),
    "same role name in another account": trap(
        lambda: (
            changed("iam", "DeleteRole", roleName="upload") | {"recipientAccountId": "999999999999"}
        )
    ),
    "other role changed": trap(lambda: changed("iam", "DeleteRole", roleName="uploader")),
    "change refused": trap(lambda: denied(changed("s3", "PutBucketPolicy", bucketName=BUCKET))),
    "revocations written": trap(lambda: revocations("Deny")),
    "key that is an object": trap(
        lambda: (
            record("dynamodb", "GetItem")
            | {"userIdentity": user(), "requestParameters": {"key": {"id": {"S": BUCKET}}}}
        )
    ),
    "parameters that are lists": trap(
        lambda: used("GetBucketLocation", key=None, parameters={"location": [""]})
    ),
    "nobody called": trap(lambda: record("s3", "PutObject")),
    "a service called": trap(
        lambda: (
            record("kms", "RotateKey")
            | {"userIdentity": {"type": "AWSService", "invokedBy": "kms.amazonaws.com"}}
        )
    ),
}


def background(sessions: Iterable[str], calls: int) -> Iterator[Json]:
    """Clean traffic: each session is assumed and used, and others are busy beside them."""
    for name in sessions:
        key = f"ASIA{name[:26].upper()}"
        yield assumed(key, name)
        identity = session_user(name, key)
        root = f"guide/builds/{name[:26]}"
        for number in range(calls):
            yield used(key=f"{root}/{number}.html", userIdentity=identity)
            yield record("ec2", "DescribeInstances") | {"userIdentity": user()}


def plant(cases: Iterable[Case]) -> Iterator[bytes]:
    """The records of cases, each about a session of its own, whose row is put into the ledger."""
    for number, case in enumerate(cases):
        ledger_id, key = f"01kb2m5v3xq8w9e7r6t5{number:06}", f"ASIAPLANTED{number:09}"
        session = msgspec.structs.replace(SESSION, **case.session)
        _write_down(session, ledger_id, key if session.access_key_id else "")
        text = msgspec.json.encode(case.make()).decode()
        for old, new in (
            (LEDGER_ID, ledger_id),
            (SESSION.access_key_id, key),
            (STRANGER, f"ASIASTRANGER{number:08}"),
        ):
            text = text.replace(old, new)
        yield text.encode()


def _write_down(session: LedgerSession, ledger_id: str, key: str) -> None:
    changes: Json = {"id": ledger_id, "access_key_id": key, "role_arn": session.role_arn}
    changes |= {"assumed_role_id": f"{ROLE_ID}:{ledger_id}-guide", "caller_ip_hex": session.ip_hex}
    if session.revoked_at:
        moment = datetime.fromisoformat(session.revoked_at)
        changes |= {"revoked_at": moment, "revocation": revocation_of(moment)}
    if not key:
        failed_row(**changes)
    else:
        status = "issued" if session.is_issued else "withheld"
        delivery = "probe" if session.is_probe else "json"
        issued_row(status=status, delivery=delivery, **changes)


def revocation_of(moment: datetime) -> Revocation:
    return Revocation.objects.create(
        kind="session",
        target_name="guide/builds/v1",
        store=Store.objects.get(),
        reason="leaked",
        requested_by="ada",
        requested_at=moment,
        ends_at=moment + timedelta(hours=1),
    )
