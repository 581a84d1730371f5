"""Revoke what was issued: preview what a decision would end, and record it. Calls no store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet, Value, Window

from builds.models import Build, Store
from builds.services import close_to_uploads
from credentials.access.clients import (
    Actor,
    log_action,
    revoke_access_token,
    revoke_api_key,
    revoke_job_token,
)
from credentials.access.revocations import (
    LONGEST_SESSION,
    other_characters,
    record_revocation,
    recorded_document,
    store_capacity,
)
from credentials.errors import ReasonMissing, StoreNeedsTime
from credentials.models import AccessToken, ApiKey, Client, IssuedSession, JobToken, Revocation
from credentials.models.revocations import NAME_LENGTH, REASON_LENGTH
from credentials.models.sessions import IssuedSessionQuerySet
from credentials.operations.revocation_targets import Kind, Target
from credentials.rules.tokens import TokenKind

# How many sessions and builds a preview names.
SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class StoreUse:
    """How full a store's policy would be: entries, and how many single sessions have room."""

    store: Store
    entries: int
    capacity: int
    fits: bool


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What decisions would end. `sessions` and `builds` are the first of as many as are counted.

    `last_end` is when the last of the sessions would end by itself. `unrevocable` are the access
    keys of identities that signed for a target: only changing such a key ends what it signed.
    """

    targets: Sequence[Target]
    session_count: int
    sessions: list[IssuedSession]
    last_end: datetime | None
    build_count: int
    builds: list[Build]
    tokens: list[str]
    unrevocable: list[str]
    stores: list[StoreUse]
    problems: list[str] = field(default_factory=list)


def preview(*, targets: Sequence[Target], now: datetime, may_go_on: bool = False) -> Preview:
    """What `revoke` would do at this moment to targets of one kind; nothing is changed.

    The number of queries does not depend on how many targets there are.
    """
    covered = reduce(or_, (target.sessions for target in targets))
    live = covered.active(now)
    whole = {"count": Window(Count("pk")), "last_end": Window(Max("expires_at"))}
    sessions: list[Any] = list(live.defer("policy", "caller_agent").annotate(**whole)[:SHOWN])
    signatures = reduce(or_, (target.signatures for target in targets)).unexpired(now)
    asked_with, unrevocable = _names(covered.asked_for(now), signatures)
    open_builds = _open_builds(targets, live, now).annotate(count=Window(Count("pk")))
    builds: list[Any] = list(open_builds.order_by("-pk")[:SHOWN])
    cut_offs = {each.row: each.before or now for each in targets if each.kind is Kind.STORE}
    stores = [_use(store, live, cut_offs.get(store), now) for store in _stores(targets, live)]
    ended = _ended_tokens(targets, asked_with, now) if not may_go_on else Tokens()
    return Preview(
        targets=targets,
        session_count=sessions[0].count if sessions else 0,
        sessions=sessions,
        last_end=sessions[0].last_end if sessions else None,
        build_count=builds[0].count if builds else 0,
        builds=builds,
        tokens=ended.names,
        unrevocable=unrevocable,
        stores=stores,
        problems=_problems(unrevocable, stores),
    )


def _names(
    asked_for: IssuedSessionQuerySet, signatures: IssuedSessionQuerySet
) -> tuple[set[str], list[str]]:
    """The tokens that asked for sessions, and the access keys that signed; in one statement."""
    tokens = asked_for.order_by().values_list("token_name", Value(0)).distinct()
    keys = signatures.order_by().values_list("access_key_id", Value(1)).distinct()
    found = list(tokens.union(keys, all=True))
    return {name for name, is_key in found if not is_key}, sorted(
        name for name, is_key in found if is_key
    )


def _problems(unrevocable: Iterable[str], stores: Iterable[StoreUse]) -> list[str]:
    signed = [
        f"Presigned POSTs signed with the key {key} cannot be revoked: change that key."
        for key in unrevocable
    ]
    full = [
        f"The policy of the store {use.store} has room for {use.capacity} single sessions, and "
        "these are too many. Revoke their product, or everything of the store before a time."
        for use in stores
        if not use.fits
    ]
    return signed + full


def _open_builds(
    targets: Sequence[Target], live: IssuedSessionQuerySet, now: datetime
) -> QuerySet[Build]:
    """The uploads that end: open builds with a live session."""
    if targets[0].kind is Kind.BUILD:
        return Build.objects.filter(pk__in=[each.row.pk for each in targets]).open(now)
    return Build.objects.open(now).filter(pk__in=live.order_by().values("build"))


def _stores(targets: Sequence[Target], live: IssuedSessionQuerySet) -> list[Store]:
    """Where they have live sessions; a store itself also without any."""
    if named := [each.row for each in targets if isinstance(each.row, Store)]:
        return named
    return list(Store.objects.filter(pk__in=live.order_by().values("store")).order_by("name"))


def _use(
    store: Store, sessions: IssuedSessionQuerySet, cut_off: datetime | None, now: datetime
) -> StoreUse:
    document = recorded_document(store=store, now=now, and_also=sessions, cut_off=cut_off)
    return StoreUse(
        store=store,
        entries=document.entries,
        capacity=store_capacity(store),
        fits=document.fits(other_characters(store)),
    )


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What may ask for no more sessions once a decision is made."""

    clients: list[Client] = field(default_factory=list)
    api_keys: list[ApiKey] = field(default_factory=list)
    access_tokens: list[AccessToken] = field(default_factory=list)
    job_tokens: list[JobToken] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        tokens = map(str, (*self.api_keys, *self.access_tokens, *self.job_tokens))
        return [*(f"client {each}" for each in self.clients), *tokens]


def _ended_tokens(targets: Sequence[Target], asked_with: Iterable[str], now: datetime) -> Tokens:
    """The targets themselves where they are clients or tokens; else the tokens that asked for
    their sessions, live or under way: of a key and what it gave, only the latter.
    """
    rows = [each.row for each in targets]
    if targets[0].kind in {Kind.CLIENT, Kind.API_KEY, Kind.JOB_TOKEN}:
        return Tokens(
            clients=[row for row in rows if isinstance(row, Client) and row.is_active],
            api_keys=[row for row in rows if isinstance(row, ApiKey) and row.is_usable(now)],
            job_tokens=[row for row in rows if isinstance(row, JobToken) and row.is_usable(now)],
        )
    return _asking_tokens([row for row in rows if isinstance(row, Build)], asked_with)


def _asking_tokens(builds: Sequence[Build], names: Iterable[str]) -> Tokens:
    """Tokens by the names that the ledger has for them, and the jobs that own the builds."""
    shown = {name.rpartition("/")[2] for name in names}
    ids = {
        kind: [name.partition("_")[2] for name in shown if name.startswith(kind)]
        for kind in TokenKind
    }
    keys = ApiKey.objects.filter(public_id__in=ids[TokenKind.API_KEY], revoked_at=None)
    jobs = JobToken.objects.filter(
        Q(public_id__in=ids[TokenKind.JOB_TOKEN]) | Q(registrations__build__in=builds),
        ended_at=None,
    ).distinct()
    tokens = AccessToken.objects.filter(public_id__in=ids[TokenKind.ACCESS_TOKEN])
    return Tokens(
        api_keys=list(keys.order_by("pk")),
        access_tokens=list(tokens.order_by("pk")),
        job_tokens=list(jobs.order_by("pk")),
    )


def revoke(
    *, target: Target, reason: str, by: Actor, now: datetime, may_go_on: bool = False
) -> list[Revocation]:
    """Record that the target's live sessions are revoked, one decision for each of their stores.

    In the same transaction what asked for them is ended, unless it `may_go_on`, and what is being
    asked for is withheld. Doing it again changes nothing: sessions stay with the first decision.
    Without live sessions there is no decision, but for a store's. Raises ReasonMissing,
    StoreNeedsTime.
    """
    require_reason_and_time(target=target, reason=reason, now=now)
    with transaction.atomic():
        live = target.sessions.active(now)
        asked_for = target.sessions.asked_for(now).order_by()
        asked_with = asked_for.values_list("token_name", flat=True).distinct()
        ended = Tokens() if may_go_on else _ended_tokens([target], asked_with, now)
        _end(ended, by=by, reason=reason.strip(), now=now)
        closed = False
        if isinstance(target.row, Build) and not may_go_on:
            closed = close_to_uploads(build_id=target.row.pk, now=now)
        under_way = target.sessions.requested(now)  # what is stuck can come to nothing any more
        withheld = under_way.update(status=IssuedSession.Status.WITHHELD, completed_at=now)
        decisions = [
            _decision(target, store, reason=reason.strip(), by=by, may_go_on=may_go_on, now=now)
            for store in _stores([target], live)
        ]
        made = [each for each in decisions if record_revocation(sessions=live, revocation=each)]
        count = sum(each.session_count for each in made)
        if made or ended.names or closed or withheld:
            message = f"Revoked with {count} live sessions: {reason.strip()}"
            log_action(target.row, by, CHANGE, message)
        return made


def require_reason_and_time(*, target: Target, reason: str, now: datetime) -> None:
    """Raises ReasonMissing, and StoreNeedsTime for a store without a time that can be."""
    if not reason.strip():
        raise ReasonMissing
    is_store = target.kind is Kind.STORE
    if is_store and not (target.before and now - LONGEST_SESSION < target.before <= now):
        raise StoreNeedsTime


def unverified(target: Target, now: datetime) -> list[Revocation]:
    """Decisions about the target's unexpired sessions that the store has not verified."""
    sessions = target.sessions.unexpired(now).filter(revoked_at__isnull=False)
    pending = Revocation.objects.filter(sessions__in=sessions)
    pending = pending.exclude(state=Revocation.State.VERIFIED).select_related("store")
    return list(pending.distinct().order_by("pk"))


def _decision(
    target: Target, store: Store, *, reason: str, by: Actor, may_go_on: bool, now: datetime
) -> Revocation:
    return Revocation(
        kind=target.kind,
        target_name=target.name[:NAME_LENGTH],
        store=store,
        before=target.before,
        reason=reason[:REASON_LENGTH],
        requested_by=by.get_username(),
        requested_at=now,
        may_go_on=may_go_on,
    )


def _end(tokens: Tokens, *, by: Actor, reason: str, now: datetime) -> None:
    """In the order in which issuing locks them. The log of each says why."""
    for client in tokens.clients:
        if Client.objects.filter(pk=client.pk, is_active=True).update(is_active=False):
            log_action(client, by, CHANGE, f"Disabled. Reason: {reason}")
    for key in tokens.api_keys:
        revoke_api_key(key=key, actor=by, reason=reason, now=now)
    for access_token in tokens.access_tokens:
        revoke_access_token(access_token=access_token, now=now)
    for job_token in tokens.job_tokens:
        if revoke_job_token(job_token=job_token, now=now):
            log_action(job_token, by, CHANGE, f"Revoked. Reason: {reason}")
