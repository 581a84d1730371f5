"""Revoked sessions: decisions are recorded here, and read back as the policy that they make.

The store is not called here. The policy is always written as a whole, from the ledger, so what is
recorded and what is written cannot drift apart (`credentials/operations/`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Max, Min, Q

from builds.models import Build, Store
from credentials.errors import RevocationsFull
from credentials.models import Delivery, EventKind, IssuedSession, Revocation, record_event
from credentials.models.sessions import IssuedSessionQuerySet
from credentials.rules.account_documents import upload_policy
from credentials.rules.revocation import (
    CLOCK_TOLERANCE,
    RevocationDocument,
    RevokedSession,
    capacity,
    revocation_document,
)

# AWS gives no longer session, and its clock may be a little ahead.
LONGEST_SESSION = timedelta(hours=12, minutes=1)


def record_revocation(
    *, sessions: IssuedSessionQuerySet, revocation: Revocation
) -> Revocation | None:
    """Save a new decision, and mark the sessions of its store that it covers.

    Runs inside a transaction. Sessions that are revoked already stay with the first decision;
    without any, only a decision about a whole store is kept, unless an earlier one covers it.
    """
    is_cut_off = revocation.kind == Revocation.Kind.STORE
    if is_cut_off:  # of two at once, the second sees the first
        Store.objects.select_for_update(no_key=True).get(pk=revocation.store_id)
        is_cut_off = not _is_covered(revocation)
    revocation.ends_at = revocation.requested_at + LONGEST_SESSION
    revocation.save(force_insert=True)
    covered = sessions.filter(store=revocation.store, revoked_at=None)
    count = covered.update(revoked_at=revocation.requested_at, revocation=revocation)
    if not count and not is_cut_off:
        revocation.delete()
        return None
    revocation.session_count = count
    if revocation.kind == Revocation.Kind.STORE and revocation.before:
        revocation.ends_at = revocation.before + LONGEST_SESSION
    else:
        revocation.ends_at = revocation.sessions.aggregate(end=Max("expires_at"))["end"]
    revocation.save(update_fields=["session_count", "ends_at"])
    _record_event(revocation)
    return revocation


def _record_event(revocation: Revocation) -> None:
    """Tell webhooks of a decision: in the order of its build's other events, if it is of one."""
    kind, target = revocation.kind, revocation.target_name
    is_of_build = kind == Revocation.Kind.BUILD
    product_slug = target.partition("/")[0] if is_of_build else ""
    record_event(
        EventKind.SESSION_REVOKED,
        subject=target if is_of_build else f"{kind} {target}",
        payload={
            "revocation": revocation.pk,
            "kind": kind,
            "target": target,
            "store": revocation.store.name,
            "session_count": revocation.session_count,
            "reason": revocation.reason,
            "requested_by": revocation.requested_by,
            "requested_at": revocation.requested_at,
            "ends_at": revocation.ends_at,
        },
        now=revocation.requested_at,
        product_slug=target if kind == Revocation.Kind.PRODUCT else product_slug,
    )


def _is_covered(revocation: Revocation) -> bool:
    """Whether an earlier decision about the store refuses all that this one would."""
    earlier = Revocation.objects.of_store(revocation.store).in_force(revocation.requested_at)
    return earlier.filter(kind=Revocation.Kind.STORE, before__gte=revocation.before).exists()


ON_FINISH = "LTD_REVOKE_ON_FINISH"


def revoke_finished_build(*, build: Build, now: datetime) -> None:
    """Record that the live sessions of a build that was just finished are revoked.

    Runs inside the transaction that finishes it, under the build's lock: nothing is issued after
    it. Raises RevocationsFull, so that the build is not finished with sessions that live on.
    """
    store = build.product.store
    decision = Revocation(
        kind=Revocation.Kind.BUILD,
        target_name=build.root,
        store=store,
        reason="The build was finished.",
        requested_by=ON_FINISH,
        requested_at=now,
        may_go_on=True,
    )
    sessions = IssuedSession.objects.for_build(build).writing().active(now)
    made = record_revocation(
        sessions=sessions.filter(signed_by_identity=False), revocation=decision
    )
    document = recorded_document(store=store, now=now)
    if made and not document.fits(other_characters(store)):
        raise RevocationsFull


def recorded_document(
    *,
    store: Store,
    now: datetime,
    decisions: Sequence[Revocation] | None = None,
    and_also: IssuedSessionQuerySet | None = None,
    cut_off: datetime | None = None,
) -> RevocationDocument:
    """The policy that decisions make, all that are in force unless others are given, and with them
    further sessions, or all that the store issued before a cut-off. Stores with one role share it.

    Of the further sessions those are not read that were issued long before the cut-off.
    """
    if decisions is None:
        decisions = list(Revocation.objects.of_role(store).in_force(now))
    further = IssuedSession.objects.none() if and_also is None else and_also
    further = further.filter(role_arn=store.role_arn, store__endpoint_url=store.endpoint_url)
    near = further.filter(completed_at__gte=cut_off - 2 * CLOCK_TOLERANCE) if cut_off else further
    rows = IssuedSession.objects.unexpired(now - CLOCK_TOLERANCE).filter(revocation__in=decisions)
    rows = rows.filter(role_arn=store.role_arn)  # a store may have had another
    sessions = _revoked_sessions(decisions, rows, near)
    of_stores = [each.before for each in decisions if each.kind == Revocation.Kind.STORE]
    cut_offs = [each for each in (*of_stores, cut_off) if each]
    slugs = {each.product_slug for each in sessions}
    return revocation_document(
        sessions=sessions,
        bystanders=_bystanders(store, slugs, now, except_for=further),
        cut_off=max(cut_offs, default=None),
        now=now,
    )


def _revoked_sessions(
    decisions: Sequence[Revocation], *rows: IssuedSessionQuerySet
) -> list[RevokedSession]:
    """What the policy has to say about sessions, oldest first, in one statement."""
    unproven = {each.pk for each in decisions if each.state != Revocation.State.VERIFIED}
    read = ("product_slug", "completed_at", "requested_at", "revocation_id")
    first, *others = (each.only(*read).order_by() for each in rows)
    sessions = (
        RevokedSession(
            ledger_id=row.pk,
            product_slug=row.product_slug,
            issued_by=row.completed_at or row.requested_at,
            unproven=row.revocation_id if row.revocation_id in unproven else None,
        )
        for row in first.union(*others, all=True)
    )
    return sorted(sessions, key=lambda each: each.ledger_id)


def _bystanders(
    store: Store, slugs: set[str], now: datetime, *, except_for: IssuedSessionQuerySet
) -> dict[str, datetime]:
    """When the first session of each product that lives on, or is under way, was asked for."""
    alive = Q(status=IssuedSession.Status.ISSUED, expires_at__gt=now - CLOCK_TOLERANCE)
    # One that is stuck for longer has nothing left that could be refused.
    alive |= Q(status=IssuedSession.Status.REQUESTED, requested_at__gte=now - LONGEST_SESSION)
    rows = IssuedSession.objects.filter(
        alive,
        role_arn=store.role_arn,
        product_slug__in=slugs,
        revoked_at=None,
        signed_by_identity=False,
    ).exclude(pk__in=except_for.order_by().values("pk"))
    # Who tries whether a decision is obeyed is no bystander.
    rows = rows.exclude(delivery=Delivery.VERIFY)
    first = rows.order_by().values("product_slug").annotate(first=Min("requested_at"))
    return {each["product_slug"]: each["first"] for each in first}


def other_characters(store: Store) -> int:
    """What the role's own policy takes of the room for inline policies.

    On AWS nothing: there it is a managed policy (`manage.py bootstrap_store`).
    """
    if not store.endpoint_url:
        return 0
    own = upload_policy(
        role_arn=store.role_arn,
        bucket=store.bucket,
        kms_key_arn=store.kms_key_arn,
        with_sync=store.with_sync,
    )
    return len(own)


def store_capacity(store: Store) -> int:
    """How many single sessions may be revoked in a store at a time."""
    return capacity(other_characters(store))
