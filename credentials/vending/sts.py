"""The one place that calls STS: a shared client per endpoint and process, and typed errors."""

import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
import botocore.session
import structlog
from botocore.exceptions import BotoCoreError
from botocore.utils import parse_timestamp
from prometheus_client import Histogram

from builds.models import Store
from builds.names import has_controls
from credentials.errors import StsBadAnswer, StsUnreachable
from credentials.rules.cooldown import Cooldown
from credentials.rules.secret import Secret
from credentials.vending.store_clients import AccessKey, Endpoint, Patience, store_client
from credentials.vending.store_errors import (
    CALL_FAILED,
    TIMED_OUT,
    UNREADABLE,
    loggable,
    typed_error,
)

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

EXPIRY_TOLERANCE = timedelta(minutes=1)
# Some stores give longer sessions than were asked for. None gives more than 12 hours.
LATEST_EXPIRY = timedelta(hours=12)
# What the ledger has room for. AWS: key ids have 16 to 128 characters, role ids up to 193 with the
# session's name; the packed size is a percentage.
ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_.+/=-]{1,128}\Z", re.ASCII)
LONGEST_ROLE_ID, LONGEST_REQUEST_ID, LARGEST_PACKED_SIZE = 193, 128, 1000

USUAL = Patience(connect_seconds=1.0, read_seconds=1.5, attempts=2)
# Where the answer may come late: another attempt would be another session.
ONE_LONG_ATTEMPT = Patience(connect_seconds=1.0, read_seconds=5.0, attempts=1)

log = structlog.get_logger(__name__)

sts_seconds = Histogram(
    "ltdkeeper_sts_seconds",
    "How long AssumeRole took, by store. outcome: ok, or the code of the error.",
    ["store", "outcome"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


@dataclass(frozen=True, kw_only=True)
class AssumedSession(AccessKey):
    """An STS session as the store gave it. The secrets are here and nowhere else."""

    expires_at: datetime
    assumed_role_id: str = ""
    packed_policy_percent: int | None = None
    sts_request_id: str = ""


_clients: "dict[tuple[Endpoint, Patience], STSClient]" = {}
_making = threading.Lock()
cooldown = Cooldown()


def assume_role(
    *,
    store: Store,
    session_name: str,
    policy: str,
    duration_seconds: int,
    now: datetime,
    patience: Patience = USUAL,
) -> AssumedSession:
    """Call AssumeRole once. `policy` is required: without one a session has the whole role.

    Raises an StsError or PolicyTooLarge; ValueError when called without a policy.
    """
    if not policy:
        raise ValueError("a session without a policy would have the whole role")
    if cooldown.is_on(_endpoint(store)):
        raise StsUnreachable
    session = _read(_ask(store, session_name, policy, duration_seconds, patience), store)
    _require_expiry(session.expires_at, now + timedelta(seconds=duration_seconds), store)
    return session


def _ask(
    store: Store, session_name: str, policy: str, duration_seconds: int, patience: Patience
) -> Any:
    """STS's response, timed."""
    external_id: dict[str, Any] = {"ExternalId": store.external_id} if store.external_id else {}
    began, outcome = time.perf_counter(), "ok"
    try:
        return client_for(store, patience).assume_role(
            RoleArn=store.role_arn,
            RoleSessionName=session_name,
            DurationSeconds=duration_seconds,
            Policy=policy,
            **external_id,
        )
    except CALL_FAILED as err:
        if isinstance(err, TIMED_OUT):
            cooldown.begin(_endpoint(store))
        error = typed_error(err)
        log.warning(
            "assume_role_failed", store=store.name, session=session_name, error=loggable(err)
        )
        outcome = error.code
        # `from None`: the cause may carry the store's answer, and tracebacks are logged.
        raise error from None
    except UNREADABLE as err:
        log.warning("assume_role_unreadable", store=store.name, error=type(err).__name__)
        outcome = StsBadAnswer.code
        raise StsBadAnswer from None
    finally:
        seconds = time.perf_counter() - began
        sts_seconds.labels(store=store.name, outcome=outcome).observe(seconds)


def _read(answer: Any, store: Store) -> AssumedSession:
    try:
        _require_account(answer.get("AssumedRoleUser", {}).get("Arn", ""), store)
        credentials = {name: value for name, value in answer["Credentials"].items() if value}
        access_key_id = credentials["AccessKeyId"]
        if not ACCESS_KEY_ID.match(access_key_id):
            raise ValueError("not an access key id")
        return AssumedSession(
            access_key_id=access_key_id,
            secret_access_key=Secret(credentials["SecretAccessKey"]),
            session_token=Secret(credentials["SessionToken"]),
            expires_at=credentials["Expiration"].astimezone(UTC),
            assumed_role_id=_short(
                answer.get("AssumedRoleUser", {}).get("AssumedRoleId", ""), LONGEST_ROLE_ID
            ),
            packed_policy_percent=_percent(answer.get("PackedPolicySize")),
            sts_request_id=_short(
                answer.get("ResponseMetadata", {}).get("RequestId", ""), LONGEST_REQUEST_ID
            ),
        )
    except UNREADABLE as err:
        log.warning("assume_role_incomplete", error=f"{type(err).__name__}: {err}")
        raise StsBadAnswer from None


def _require_account(arn: str, store: Store) -> None:
    """Where the response and the role's ARN both name one: Ceph's roles have none."""
    given, wanted = (each.split(":")[4:5] for each in (arn, store.role_arn))
    if "" not in (*given, *wanted) and given and given != wanted:
        raise ValueError("a session of another account")


def _short(text: str, longest: int) -> str:
    if len(text) > longest or has_controls(text):
        raise ValueError("a name that is none")
    return text


def _percent(size: int | None) -> int | None:
    if size is not None and not 0 <= size <= LARGEST_PACKED_SIZE:
        raise ValueError("not a packed size")
    return size


def _require_expiry(expires_at: datetime, asked_for: datetime, store: Store) -> None:
    if not asked_for - EXPIRY_TOLERANCE <= expires_at <= asked_for + LATEST_EXPIRY:
        log.error(
            "assume_role_expiry", store=store.name, expires_at=str(expires_at), asked=str(asked_for)
        )
        raise StsBadAnswer


def client_for(store: Store, patience: Patience = USUAL) -> "STSClient":
    """The shared client of a store's endpoint; made once, then shared without a lock."""
    key = _endpoint(store), patience
    if (client := _clients.get(key)) is None:
        with _making:
            client = _clients.get(key) or _make_client(*key)
            _clients[key] = client
    return client


def _endpoint(store: Store) -> Endpoint:
    """Where a store's STS is asked."""
    return Endpoint(region=store.region, endpoint_url=store.endpoint_url)


def _make_client(endpoint: Endpoint, patience: Patience) -> "STSClient":
    core = botocore.session.get_session()
    factory = core.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=parsed_time)
    session = boto3.session.Session(botocore_session=core)
    client: STSClient = store_client(endpoint, "sts", session, patience)
    client.meta.events.register("before-call.sts.AssumeRole", _encode)
    return client


def _encode(params: Any, **_: Any) -> None:
    """Encode the body once: botocore would do it to sign and again to send."""
    params["body"] = urlencode(params["body"]).encode()


def parsed_time(text: Any) -> datetime:
    """A time in a response. botocore's own parser, which takes a tenth of the time that a whole
    call takes, is left to what is not ISO 8601.
    """
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        parsed: datetime = parse_timestamp(text)
        return parsed


def warm_up() -> None:
    """Make the clients of all stores before the first request needs one.

    Raises the database's errors; the clients are then made when first used.
    """
    for store in Store.objects.all():
        try:
            for patience in (USUAL, ONE_LONG_ATTEMPT):
                client_for(store, patience)
        except (BotoCoreError, ValueError) as err:
            # One store's mistake must not keep the others from being served.
            log.error("store_not_warmed_up", store=store.name, error=str(err))
