"""What a record of AWS CloudTrail says about our roles, sessions and buckets. Pure.

A record is read first (`recognise`: is it about us, and what was called?), and judged once the
ledger's row of its session is known (`judge`). Only the fields below are decoded; parameters and
answers of a call stay raw until the record is known to be ours, since other services put anything
there.

Sources: AWS CloudTrail user guide, "CloudTrail record contents" and "userIdentity element"; IAM
user guide, "Logging IAM and AWS STS API calls". A denied call of another account's session has
neither access key id nor ARN in the trail of the bucket's owner, only `ROLEID:NAME` (met). Times
are UTC in whole seconds, and texts of that form sort by time.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Raw, Struct, field

from builds.names import ULID_LENGTH, is_in_root
from credentials.rules.networks import ip_hex
from credentials.rules.principals import name_of
from credentials.rules.revocation import POLICY_NAME

MOMENT = "%Y-%m-%dT%H:%M:%SZ"
Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]
NOTHING = Raw(b"null")


class Identity(Struct, rename="camel", gc=False):
    """Who called. Which of these are there depends on `type`."""

    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    access_key_id: str | None = None
    invoked_by: str | None = None


class Record(Struct, rename="camel", gc=False):
    """One event, as far as it is needed. `responseElements` may hold a real session token, so no
    record is ever stored, logged or put into a finding as it is.
    """

    event_id: str = field(default="", name="eventID")
    shared_event_id: str | None = field(default=None, name="sharedEventID")
    event_time: Time = ""
    event_source: str = ""
    event_name: str = ""
    user_identity: Identity | None = None
    source_ip_address: str | None = field(default=None, name="sourceIPAddress")
    error_code: str | None = None
    error_message: str | None = None
    request_parameters: Raw = NOTHING
    response_elements: Raw = NOTHING
    recipient_account_id: str | None = None


class Breach(StrEnum):
    """The rules about CloudTrail, by their stable names."""

    UNKNOWN = "assume_role_unknown"
    AFTER_REVOCATION = "used_after_revocation"
    AFTER_EXPIRY = "used_after_expiry"
    OUTSIDE_ROOT = "used_outside_root"
    DENIED = "denied_call"
    OTHER_ADDRESS = "other_address"
    ACCOUNT_CHANGED = "account_changed"
    CHAINED = "role_chained"


class Kind(StrEnum):
    ASSUMED = "assumed"
    USED = "used"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Upload roles by what the ARNs of their sessions begin with, buckets, and the managed policies
    that give or bound what the roles may do.
    """

    roles: Mapping[str, str]
    buckets: frozenset[str]
    policy_arns: frozenset[str]

    def role_names_in(self, account_id: str) -> set[str]:
        """IAM calls a role by its name alone. Some stores' ARNs have no account."""
        accounts = {"", account_id}
        return {name_of(arn) for arn in self.roles.values() if arn.split(":")[4] in accounts}

    @cached_property
    def needles(self) -> frozenset[bytes]:
        """One of these is in every record about us, however its JSON escapes what is no word."""
        names = {name_of(arn) for arn in self.roles.values()} | self.buckets
        return frozenset(max(re.findall(r"[\w.-]+", name), key=len).encode() for name in names)


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """A record about us. `key` is an object's, or the prefix of a listing; None where there is
    neither. `source` is the object that is copied. What is a text may be an attacker's.
    """

    kind: Kind
    event_id: str
    at: str
    action: str
    caller: str
    target: str = ""
    error: str = ""
    address: str = ""
    access_key_id: str = ""
    session_name: str = ""
    principal_id: str = ""
    role_arn: str = ""
    bucket: str = ""
    key: str | None = None
    source: str = ""

    @property
    def ledger_id(self) -> str:
        """What the row's would be if the session is ours: every session's name begins with it."""
        return self.session_name[:ULID_LENGTH]


class LedgerSession(Struct, frozen=True, kw_only=True, gc=False):
    """What the ledger has of a session. Times are texts as in records; `expires_at` has the
    tolerance for clocks in it, and STS was asked and answered between the first two.
    """

    ledger_id: str
    access_key_id: str
    assumed_role_id: str
    role_arn: str
    is_issued: bool
    is_probe: bool
    bucket: str
    root: str
    build_id: int | None
    ip_hex: str | None
    asked_from: str
    asked_until: str
    expires_at: str
    revoked_at: str


def moment(time: datetime) -> str:
    """A time as records have it."""
    return time.strftime(MOMENT)


STS, S3 = "sts.amazonaws.com", "s3.amazonaws.com"
# S3 makes the first for objects that are encrypted with a KMS key; no policy refuses the last.
MADE_BY_S3 = frozenset({"kms:GenerateDataKey", "kms:Decrypt"})
HARMLESS = MADE_BY_S3 | {"sts:GetCallerIdentity"}
# Calls without a key in their record. Which keys are deleted stands in records of their own.
WITHOUT_KEY = frozenset({"s3:GetBucketLocation", "s3:DeleteObjects", "s3:PostObject"})
# The call got past the policies: AWS says so only to who may read and list.
PERMITTED = frozenset({"", "NoSuchKey"})
# The same few addresses come again and again: reading each took a quarter of an audit's time.
_ip_hex = lru_cache(maxsize=1000)(ip_hex)

# Event source and name -> the parameter that names what is changed.
_ROLE = (
    "CreateRole DeleteRole UpdateRole UpdateAssumeRolePolicy PutRolePolicy DeleteRolePolicy "
    "AttachRolePolicy DetachRolePolicy PutRolePermissionsBoundary DeleteRolePermissionsBoundary"
)
_POLICY = "CreatePolicyVersion DeletePolicyVersion SetDefaultPolicyVersion DeletePolicy"
_BUCKET = (
    "DeleteBucket PutBucketPolicy DeleteBucketPolicy PutBucketAcl PutBucketPublicAccessBlock "
    "DeleteBucketPublicAccessBlock PutBucketOwnershipControls DeleteBucketOwnershipControls"
)
CHANGES = {
    (source, name): parameter
    for source, parameter, names in (
        ("iam.amazonaws.com", "roleName", _ROLE),
        ("iam.amazonaws.com", "policyArn", _POLICY),
        (S3, "bucketName", _BUCKET),
    )
    for name in names.split()
}


def recognise(record: Record, watched: Watched) -> Call | None:
    """The call that a record is about, if it is one of our sessions', assumes one of our roles, or
    changes a role, a managed policy or a bucket of ours.
    """
    identity = record.user_identity or Identity()
    head, _, name = (identity.arn or "").rpartition("/")
    role_arn = watched.roles.get(head, "")
    if role_arn:
        return _use(record, identity, name, role_arn)
    if record.event_source == STS:
        return _assumption(record, identity, watched)
    if change := CHANGES.get((record.event_source, record.event_name)):
        return _change(record, identity, change, watched)
    if identity.type == "AWSAccount" and record.event_source == S3:
        return _foreign_use(record, identity, watched)
    return None


def _call(kind: Kind, record: Record, **more: Any) -> Call:
    return Call(
        kind=kind,
        event_id=record.shared_event_id or record.event_id,
        at=record.event_time,
        action=f"{record.event_source.partition('.')[0]}:{record.event_name}",
        error=record.error_code or "",
        address=record.source_ip_address or "",
        **more,
    )


def _use(record: Record, identity: Identity, name: str, role_arn: str) -> Call:
    parameters = _members(record.request_parameters)
    bucket, key = _text(parameters, "bucketName"), parameters.get("key")
    if not isinstance(key, str):
        is_listing = record.event_source == S3 and record.event_name.startswith("List")
        key = _text(parameters, "prefix") if is_listing else None
    place = bucket if key is None else f"{bucket}/{key}"
    source = _text(parameters, "x-amz-copy-source").partition("?")[0]
    return _call(
        Kind.USED,
        record,
        caller=identity.arn or identity.principal_id or "",
        target=place or _text(parameters, "roleArn") or record.error_message or "",
        access_key_id=identity.access_key_id or "",
        session_name=name,
        principal_id=identity.principal_id or "",
        role_arn=role_arn,
        bucket=bucket,
        key=key,
        source=unquote(source).lstrip("/"),
    )


def _foreign_use(record: Record, identity: Identity, watched: Watched) -> Call | None:
    """A call that the bucket's account saw of another account's session, known by name alone."""
    call = _use(record, identity, (identity.principal_id or "").partition(":")[2], "")
    return call if call.session_name and call.bucket in watched.buckets else None


def _assumption(record: Record, identity: Identity, watched: Watched) -> Call | None:
    """A role that was assumed, in whatever way. Where it was not, the message alone may name it."""
    if not record.event_name.startswith("AssumeRole"):
        return None
    parameters, message = _members(record.request_parameters), record.error_message or ""
    asked_for, name = _text(parameters, "roleArn"), _text(parameters, "roleSessionName")
    for role_arn in watched.roles.values():
        if role_arn in {asked_for, *message.split()}:
            credentials = _members(record.response_elements).get("credentials")
            key = _text(credentials, "accessKeyId") if isinstance(credentials, dict) else ""
            return _call(
                Kind.ASSUMED,
                record,
                caller=_caller(identity),
                target=f"{role_arn} as {name or 'an unknown name'}",
                access_key_id=key,
                session_name=name,
                role_arn=role_arn,
            )
    return None


def _change(record: Record, identity: Identity, parameter: str, watched: Watched) -> Call | None:
    """A change that was made to what is ours, but for the revoker's own."""
    parameters = _members(record.request_parameters)
    name = _text(parameters, parameter)
    ours = {
        "roleName": watched.role_names_in(record.recipient_account_id or ""),
        "policyArn": watched.policy_arns,
        "bucketName": watched.buckets,
    }[parameter]
    if name not in ours or record.error_code or _is_revocation(parameters):
        return None
    return _call(Kind.CHANGED, record, caller=_caller(identity), target=name)


def _is_revocation(parameters: dict[str, Any]) -> bool:
    """Whether it writes the policy of revoked sessions, and that one only denies: so it gives
    nobody a right. What is missing in it, the next `write_revocations` puts back.
    """
    if _text(parameters, "policyName") != POLICY_NAME:
        return False
    document = _members(Raw(_text(parameters, "policyDocument").encode()))
    statements = document.get("Statement")
    return isinstance(statements, list) and all(
        isinstance(each, dict) and each.get("Effect") == "Deny" for each in statements
    )


def _caller(identity: Identity) -> str:
    return identity.arn or identity.principal_id or identity.invoked_by or "somebody"


def _members(raw: Raw) -> dict[str, Any]:
    """The members of a JSON object; none of anything else."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(parameters: dict[str, Any], name: str) -> str:
    found = parameters.get(name)
    return found if isinstance(found, str) else ""


def judge(call: Call, session: LedgerSession | None) -> Iterator[Breach]:
    """The rules that a call breaks. `session` is the ledger's row of the access key id, or else of
    the session's name.
    """
    if call.kind is Kind.CHANGED:
        yield Breach.ACCOUNT_CHANGED
    elif call.kind is Kind.ASSUMED:
        yield from _judge_assumption(call, session)
    else:
        yield from _judge_use(call, session)


def _judge_assumption(call: Call, session: LedgerSession | None) -> Iterator[Breach]:
    """Of a call that was tried again, STS may have answered the first time too: the ledger has the
    last response, and the name. Somebody who takes a name from a log comes later.
    """
    is_named = session is not None and session.asked_from <= call.at <= session.asked_until
    is_own_key = session is not None and session.access_key_id == call.access_key_id != ""
    if session and session.role_arn == call.role_arn and (is_own_key or is_named):
        return
    if not call.error:
        yield Breach.UNKNOWN
    elif is_denied(call):
        yield Breach.DENIED


def _judge_use(call: Call, session: LedgerSession | None) -> Iterator[Breach]:
    if session is None or not _is_session_of(call, session):
        if call.access_key_id and call.action not in MADE_BY_S3:
            yield Breach.UNKNOWN
    elif call.action in HARMLESS:
        return
    elif is_denied(call):
        is_refusal_wanted = _is_after(call, session.revoked_at) and not is_outside(call, session)
        if not session.is_probe and not is_refusal_wanted:
            yield Breach.DENIED
    elif call.error in PERMITTED:
        yield from _judge_permitted(call, session)


def _judge_permitted(call: Call, session: LedgerSession) -> Iterator[Breach]:
    if call.action.startswith("sts:AssumeRole"):
        yield Breach.CHAINED
    elif is_outside(call, session):
        yield Breach.OUTSIDE_ROOT
    if _is_after(call, session.revoked_at):
        yield Breach.AFTER_REVOCATION
    if _is_after(call, session.expires_at):
        yield Breach.AFTER_EXPIRY
    address = _ip_hex(call.address)  # none of a call that AWS made for the session
    if address and session.ip_hex and address != session.ip_hex:
        yield Breach.OTHER_ADDRESS


def _is_session_of(call: Call, session: LedgerSession) -> bool:
    """Whether a session was issued and made the call. Some stores give no assumed-role ids."""
    if call.access_key_id:
        return session.is_issued and session.access_key_id == call.access_key_id
    return session.assumed_role_id in {"", call.principal_id}


def _is_after(call: Call, time: str) -> bool:
    return bool(time) and call.at > time


def is_denied(call: Call) -> bool:
    """Whether a policy refused it: `AccessDenied`, `AccessDeniedException`,
    `Client.UnauthorizedOperation`.
    """
    return "Denied" in call.error or "Unauthorized" in call.error


def is_outside(call: Call, session: LedgerSession) -> bool:
    """Whether a call reaches, or was meant to reach, anything but its build."""
    if not call.action.startswith("s3:") or call.bucket != session.bucket:
        return True
    if call.source and not is_in_root(call.source, f"{session.bucket}/{session.root}"):
        return True
    if call.key is None:
        return call.action not in WITHOUT_KEY
    return not is_in_root(call.key, session.root)
