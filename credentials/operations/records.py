"""Rows that were looked up, as text for people and members for machines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model

from builds.models import Build, Product
from credentials.models import Client, IssuedSession, JobToken, Refusal
from credentials.operations.lookup import Row, Token, client_of, name_in_ledger
from credentials.rules.policy import permissions
from credentials.rules.tokens import TokenKind


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row with what it belongs to; empty where nothing is known."""

    row: Row = field(repr=False)
    what: str
    name: str
    status: str = ""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    access_key_id: str = ""
    role_arn: str = ""
    may: tuple[str, ...] = ()
    build: str = ""
    bucket: str = ""
    client: str = ""
    token: str = ""
    job: str = ""
    repository: str = ""
    workflow: str = ""
    run: str = ""
    commit: str = ""
    ref: str = ""
    caller: str = ""

    def members(self) -> dict[str, Any]:
        """All but the row itself."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "row"}


def describe(rows: Iterable[Row], now: datetime) -> list[Record]:
    """A record of each row. `look_up` has fetched what they belong to, but for sessions' jobs."""
    rows = list(rows)
    jobs = _jobs_of_sessions(row for row in rows if isinstance(row, IssuedSession))
    return [_record(row, now, jobs) for row in rows]


def _jobs_of_sessions(sessions: Iterable[IssuedSession]) -> dict[str, JobToken]:
    names = (session.token_name.rpartition("/")[2] for session in sessions)
    public_ids = {name.partition("_")[2] for name in names if name.startswith(TokenKind.JOB_TOKEN)}
    tokens = JobToken.objects.select_related("ci_job", "publisher__issuer")
    found = tokens.in_bulk(public_ids, field_name="public_id") if public_ids else {}
    return {token.token_name: token for token in found.values()}


def _record(row: Row, now: datetime, jobs: dict[str, JobToken]) -> Record:
    if isinstance(row, IssuedSession):
        return _session(row, now, jobs.get(row.token_name.rpartition("/")[2]))
    if isinstance(row, Build):
        return _build(row, now)
    return _token(row, now) if isinstance(row, Token) else BY_MODEL[type(row)](row)


def _session(session: IssuedSession, now: datetime, job: JobToken | None) -> Record:
    failure = f": {session.failure_code}" if session.failure_code else ""
    is_live = session.expires_at is not None and session.expires_at > now
    return Record(
        row=session,
        what="session",
        name=session.session_name,
        status=f"{session.described_state(now)}{failure}",
        begins_at=session.requested_at,
        ends_at=session.expires_at,
        access_key_id=session.access_key_id,
        role_arn=session.role_arn,
        may=tuple(map(str, permissions(session.policy_text))) if is_live else (),
        build=session.root,
        bucket=session.bucket_name,
        client=session.client_name,
        token=session.token_name,
        **_job(job),
        caller=f"{session.caller_address} {session.caller_agent}".strip(),
    )


def _job(token: JobToken | None) -> dict[str, Any]:
    """What is known of the job that held a token; of API keys' job tokens their identity alone."""
    if token is None:
        return {}
    job = getattr(token, "ci_job", None)
    if job is None:
        return {"job": token.identity}
    return {
        "job": token.identity,
        "repository": job.repository,
        "workflow": job.workflow,
        "run": job.address or job.run_id or job.run_number,
        "commit": job.commit,
        "ref": job.ref,
    }


def _build(build: Build, now: datetime) -> Record:
    owner = getattr(build, "registration", None)  # builds of an LTD Keeper have none
    return Record(
        row=build,
        what="build",
        name=build.root,
        status=build.state(now).label.lower(),
        begins_at=build.registered_at,
        ends_at=build.closed_at(now) or build.open_until,
        build=build.root,
        bucket=build.bucket_name,
        client=owner.client.name if owner else "",
        token=owner.token_name if owner else "",
        **_job(owner.job_token if owner else None),
    )


def _product(product: Product) -> Record:
    return Record(
        row=product,
        what="product",
        name=product.slug,
        begins_at=product.created_at,
        bucket=product.store.bucket,
        client=", ".join(sorted(client.name for client in product.clients.all())),
    )


def _client(client: Client) -> Record:
    return Record(
        row=client,
        what="client",
        name=client.name,
        status="active" if client.is_active else "disabled",
        begins_at=client.created_at,
        client=client.name,
    )


def _person(user: User) -> Record:
    return Record(
        row=user,
        what="person",
        name=user.get_username(),
        status="active" if user.is_active else "disabled",
        begins_at=user.date_joined,
    )


def _refusal(refusal: Refusal) -> Record:
    hour = f"in the hour from {refusal.hour:%H:%M} UTC"
    accepted = ", token accepted: the caller has its secret" if refusal.token_accepted else ""
    return Record(
        row=refusal,
        what="refused calls",
        name=f"from {refusal.network}",
        status=f"{refusal.reason}: {refusal.calls} {hour}{accepted}",
        begins_at=refusal.first_at or refusal.hour,
        ends_at=refusal.last_at,
        client=refusal.client.name if refusal.client else "",
        token=refusal.token_name,
    )


BY_MODEL: dict[type[Model], Callable[[Any], Record]] = {
    Product: _product,
    Client: _client,
    User: _person,
    Refusal: _refusal,
}


def _token(token: Token, now: datetime) -> Record:
    return Record(
        row=token,
        what="token",
        name=(name := name_in_ledger(token)),
        status=_status(token, now),
        begins_at=token.created_at,
        ends_at=token.expires_at,
        client=client_of(token).name,
        token=name,
        **_job(token if isinstance(token, JobToken) else None),
    )


def _status(token: Token, now: datetime) -> str:
    """By itself, and by the key, publisher and client with which it ends."""
    key, publisher = getattr(token, "api_key", None), getattr(token, "publisher", None)
    for each in filter(None, (token, key)):
        if getattr(each, "revoked_at", None) or getattr(each, "ended_at", None):
            return "revoked"
        if each.expires_at and each.expires_at <= now:
            return "expired"
    if publisher and not publisher.is_active:
        return "valid again if its publisher is enabled"
    return "valid" if client_of(token).is_active else "valid again if its client is enabled"
