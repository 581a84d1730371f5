"""From an identifier to what it belongs to: session, build, client, token and CI job.

Every look-up is an equality on an indexed column, however long the ledger is.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builds.models import Build, Product
from builds.names import ULID_LENGTH
from credentials.models import AccessToken, ApiKey, IssuedSession, JobToken
from credentials.rules.identifiers import Identifier, Kind
from credentials.rules.tokens import TokenKind

# Of each kind of row the newest so many are given.
LIMIT = 20

Token = ApiKey | AccessToken | JobToken


@dataclass(frozen=True, kw_only=True)
class Record:
    """A session, build, product or token with what it belongs to; empty where nothing is known."""

    what: str
    name: str
    status: str = ""
    begins_at: datetime | None
    ends_at: datetime | None = None
    access_key_id: str = ""
    role_arn: str = ""
    build: str = ""
    bucket: str = ""
    client: str = ""
    token: str = ""
    job: str = ""
    caller: str = ""


def look_up(identifier: Identifier, now: datetime) -> list[Record]:
    """What an identifier names, then the newest sessions that belong to it. Writes nothing."""
    return LOOK_UPS[identifier.kind](identifier, now)


def _sessions(**conditions: Any) -> list[Record]:
    rows = list(IssuedSession.objects.filter(**conditions)[:LIMIT])
    names = [row.token_name.rpartition("/")[2] for row in rows]
    jobs = _job_tokens(name for name in names if name.startswith(TokenKind.JOB_TOKEN))
    return [
        Record(
            what="session",
            name=row.session_name,
            status=f"{row.status}: {row.failure_code}" if row.failure_code else row.status,
            begins_at=row.requested_at,
            ends_at=row.expires_at,
            access_key_id=row.access_key_id,
            role_arn=row.role_arn,
            build=row.root,
            bucket=row.bucket_name,
            client=row.client_name,
            token=row.token_name,
            job=jobs[name].identity if name in jobs else "",
            caller=f"{row.caller_address} {row.caller_agent}".strip(),
        )
        for row, name in zip(rows, names, strict=True)
    ]


def _job_tokens(names: Iterable[str]) -> dict[str, JobToken]:
    public_ids = [_public_id(name) for name in names]
    found = JobToken.objects.in_bulk(public_ids, field_name="public_id")
    return {token.token_name: token for token in found.values()}


def _public_id(token_name: str) -> str:
    return token_name.rpartition("_")[2]


def _named(session_name: str, **conditions: Any) -> list[Record]:
    """By the primary key, with which every name begins."""
    return _sessions(pk=session_name[:ULID_LENGTH], session_name=session_name, **conditions)


def _of_assumed_role(arn: str) -> list[Record]:
    """The role must be the session's own: another account's session may have the same name.

    An assumed-role ARN has the role's name without the path that its own ARN may have.
    """
    account, role, name = arn.split("/")
    roles = account.replace(":sts:", ":iam:").removesuffix("assumed-role")
    return _named(name, role_arn__startswith=f"{roles}role/", role_arn__endswith=f"/{role}")


def _by_root(identifier: Identifier, now: datetime) -> list[Record]:
    in_bucket = {"bucket_name": identifier.bucket} if identifier.bucket else {}
    return _builds(now, root=identifier.text, **in_bucket)


def _builds(now: datetime, **conditions: Any) -> list[Record]:
    rows = Build.objects.filter(**conditions).select_related(
        "registration__client", "registration__job_token"
    )
    builds = list(rows[:LIMIT])
    return [*(_build(each, now) for each in builds), *_sessions(build__in=builds)]


def _build(build: Build, now: datetime) -> Record:
    owner = getattr(build, "registration", None)  # builds of an LTD Keeper have none
    return Record(
        what="build",
        name=build.root,
        status=build.state(now),
        begins_at=build.registered_at,
        ends_at=build.closed_at(now) or build.open_until,
        build=build.root,
        bucket=build.bucket_name,
        client=owner.client.name if owner else "",
        token=owner.token_name if owner else "",
        job=owner.job_token.identity if owner and owner.job_token else "",
    )


def _products(slug: str) -> list[Record]:
    products = [
        Record(
            what="product",
            name=product.slug,
            begins_at=product.created_at,
            bucket=product.store.bucket,
            client=", ".join(sorted(client.name for client in product.clients.all())),
        )
        for product in Product.objects.filter(slug=slug).select_related("store")
    ]
    return [*products, *_sessions(product_slug=slug)]


MODELS: dict[str, type[Token]] = {
    TokenKind.API_KEY: ApiKey,
    TokenKind.ACCESS_TOKEN: AccessToken,
    TokenKind.JOB_TOKEN: JobToken,
}


def _tokens(name: str, now: datetime) -> list[Record]:
    """The last token of a name is meant. Sessions are also those of the tokens that it gave."""
    own_name = name.rpartition("/")[2]
    model = MODELS[own_name.partition("_")[0]]
    token = model.objects.filter(public_id=_public_id(own_name)).first()
    names = {name, *(_names_in_ledger(token) if token else ())}
    found = [_token(token, now)] if token else []
    return [*found, *_sessions(token_name__in=sorted(names))]


def _names_in_ledger(token: Token) -> list[str]:
    """What the ledger calls it, and the newest tokens that it gave."""
    if isinstance(token, ApiKey):
        gave = [each.token_name for each in token.sessions.order_by("-id")[:LIMIT]]
        gave += [each.token_name for each in token.job_tokens.all()[:LIMIT]]
        return [token.token_name, *(f"{token.token_name}/{name}" for name in gave)]
    key = token.api_key
    return [f"{key.token_name}/{token.token_name}" if key else token.token_name]


def _token(token: Token, now: datetime) -> Record:
    client = token.api_key.client if isinstance(token, AccessToken) else token.client
    return Record(
        what="token",
        name=(name := _names_in_ledger(token)[0]),
        status=_status(token, now),
        begins_at=token.created_at,
        ends_at=token.expires_at,
        client=client.name,
        token=name,
        job=token.identity if isinstance(token, JobToken) else "",
    )


def _status(token: Token, now: datetime) -> str:
    """By itself; its client, its key or its publisher may be disabled besides."""
    if getattr(token, "revoked_at", None) or getattr(token, "ended_at", None):
        return "revoked"
    return "expired" if token.expires_at and token.expires_at <= now else "valid"


LOOK_UPS: dict[Kind, Callable[[Identifier, datetime], list[Record]]] = {
    Kind.TOKEN: lambda one, now: _tokens(one.text, now),
    Kind.BUILD_ROOT: _by_root,
    Kind.OBJECT_KEY: _by_root,
    Kind.ASSUMED_ROLE_ARN: lambda one, _: _of_assumed_role(one.text),
    # A store that gives no assumed-role ids leaves the name alone to go by.
    Kind.ASSUMED_ROLE_ID: lambda one, _: _named(
        one.text.partition(":")[2], assumed_role_id__in=[one.text, ""]
    ),
    Kind.SESSION_NAME: lambda one, _: _named(one.text),
    Kind.LEDGER_ID: lambda one, _: _sessions(pk=one.text),
    Kind.ACCESS_KEY_ID: lambda one, _: _sessions(access_key_id=one.text),
    Kind.REQUEST_ID: lambda one, _: _sessions(sts_request_id=one.text),
    Kind.PRODUCT_SLUG: lambda one, _: _products(one.text),
    Kind.BUILD_SLUG: lambda one, now: _builds(now, slug=one.text),
}
