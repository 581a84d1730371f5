"""What a caller may use, as conditions of a query: nothing is remembered between calls.

A product is open to a caller when the client is granted it, and the key, the trusted publisher
and the job token that were shown each open it as well.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    When,
)
from django.db.models.functions import Least

from builds.errors import UnknownBuild
from builds.fixed_sql import Columns, fetch, insert, locking, update
from builds.models import Build, BuildQuerySet, Product, Store
from builds.services import delete_build, lock_build, register_build, supersede_build
from credentials.access.callers import Caller
from credentials.errors import (
    JobFinished,
    NoOpenBuild,
    NotYourBuild,
    ProductNotGranted,
    SeveralOpenBuilds,
    TooManyOpenBuilds,
    TooManySessions,
)
from credentials.models import (
    ApiKey,
    Client,
    Grant,
    JobGrant,
    JobToken,
    KeySession,
    Registration,
    TrustedPublisher,
)
from credentials.rules.tokens import TokenKind


def may_use(caller: Caller, product: OuterRef) -> Q:
    """Whether the product that a query refers to is open to the caller, at this moment."""
    opened = Q(Exists(Grant.objects.filter(client=caller.client, product=product)))
    if caller.api_key and not caller.api_key.all_products:
        named = ApiKey.products.through.objects.filter(apikey=caller.api_key)
        opened &= Q(Exists(named.filter(product=product)))
    if caller.publisher:
        named_by_rule = TrustedPublisher.products.through.objects.filter(
            trustedpublisher=caller.publisher
        )
        opened &= Q(Exists(named_by_rule.filter(product=product)))
    if caller.job_token:
        asked_for = JobGrant.objects.filter(job_token=caller.job_token)
        opened &= Q(Exists(asked_for.filter(product=product)))
    return opened


def usable_products(caller: Caller) -> QuerySet[Product]:
    """The products that are open to the caller."""
    return Product.objects.filter(may_use(caller, OuterRef("pk")))


# A caller's right to a build as two fixed statements: at first, and again under locks.
#
# Both are asked of the same tables; what they find is judged by the same Python. The first tells
# why there is no right. The second joins and locks everything that the right rests on, so that a
# row that is gone leaves nothing: on PostgreSQL a condition with EXISTS would be answered from
# before a wait for a lock, joined rows that are locked are read anew after it.

BUILD, PRODUCT, STORE = Columns(Build, "b"), Columns(Product, "p"), Columns(Store, "s")

# For each way in which a product is opened: the row that opens it to this caller, if there is one.
OPENINGS = """
LEFT JOIN credentials_grant g ON g.product_id = p.id AND g.client_id = %s
LEFT JOIN credentials_apikey_products kp ON kp.product_id = p.id AND kp.apikey_id = %s
LEFT JOIN credentials_trustedpublisher_products tp
       ON tp.product_id = p.id AND tp.trustedpublisher_id = %s
LEFT JOIN credentials_jobgrant jp ON jp.product_id = p.id AND jp.job_token_id = %s
"""
FIND = f"""SELECT {BUILD.sql}, {PRODUCT.sql}, {STORE.sql},
       r.client_id, r.job_token_id, g.id, kp.id, tp.id, jp.id
FROM builds_build b
JOIN builds_product p ON p.id = b.product_id
JOIN builds_store s ON s.id = p.store_id
LEFT JOIN credentials_registration r ON r.build_id = b.id
{OPENINGS}
WHERE b.id = %s
"""  # noqa: S608 - made of names of columns
FIND_PRODUCT = f"""SELECT {PRODUCT.sql}, {STORE.sql}, g.id, kp.id, tp.id, jp.id
FROM builds_product p
JOIN builds_store s ON s.id = p.store_id
{OPENINGS}
WHERE p.slug = %s
"""  # noqa: S608 - as above


@dataclass(frozen=True, kw_only=True)
class BuildRight:
    """A build, with product and store, and what a caller may do with it: see, write, close."""

    build: Build
    granted: bool
    owned: bool
    closable: bool


def right_to_build(*, caller: Caller, build_id: int) -> BuildRight | None:
    """The caller's right to a build; None where there is no such build. One statement."""
    if build_id > BigIntegerField.MAX_BIGINT:
        return None
    row = fetch(FIND, [*_ids(caller), build_id], BUILD, PRODUCT, STORE)
    if row is None:
        return None
    build, product, store, owner_id, owner_job_id, *opened_by = row
    build.product, product.store = product, store
    owned, closable = _ownership(caller, owner_id, owner_job_id)
    return BuildRight(
        build=build,
        granted=_is_open_to(caller, opened_by),
        owned=owned,
        closable=closable,
    )


def right_to_product(*, caller: Caller, slug: str) -> tuple[Product, bool] | None:
    """A product with its store, and whether it is open to the caller; None where there is none."""
    row = fetch(FIND_PRODUCT, [*_ids(caller), slug], PRODUCT, STORE)
    if row is None:
        return None
    product, store, *opened_by = row
    product.store = store
    return product, _is_open_to(caller, opened_by)


def _is_open_to(caller: Caller, opened_by: list[int | None]) -> bool:
    """Whether each part that the caller showed opens the product, and a grant does."""
    wanted = [True, _is_limited(caller), caller.publisher is not None, caller.job_token is not None]
    return all(opened for opened, must in zip(opened_by, wanted, strict=True) if must)


def _ids(caller: Caller) -> list[int | None]:
    key, publisher, job = caller.api_key, caller.publisher, caller.job_token
    return [caller.client.pk, *(part.pk if part else None for part in (key, publisher, job))]


def _is_limited(caller: Caller) -> bool:
    return caller.api_key is not None and not caller.api_key.all_products


def _ownership(caller: Caller, owner_id: int | None, owner_job_id: int | None) -> tuple[bool, bool]:
    """Whether a registration makes its build the caller's to write to, and to close."""
    job_id = caller.job_token.pk if caller.job_token else None
    is_clients = owner_id == caller.client.pk
    owned = is_clients and owner_job_id == job_id
    return owned, owned if job_id else is_clients


CLIENT = Columns(Client, "c", only=["id", "is_active"])
KEY = Columns(ApiKey, "k", only=["id", "all_products", "expires_at", "withdrawn_at"])
PUBLISHER = Columns(TrustedPublisher, "t", only=["id", "is_active"])
SESSION = Columns(KeySession, "x", only=["id", "expires_at"])
JOB = Columns(JobToken, "j", only=["id", "expires_at", "ended_at"])
STATE = Columns(
    Build,
    "b",
    only=["id", "open_until", "finished_at", "deleted_at", "superseded_at"],
)
# What a caller may have shown, in the order in which it is locked.
SHOWN: dict[str, tuple[Columns[Any], str]] = {
    "api_key": (KEY, "JOIN credentials_apikey k ON k.id = %s"),
    "publisher": (PUBLISHER, "JOIN credentials_trustedpublisher t ON t.id = %s"),
    "key_session": (SESSION, "JOIN credentials_keysession x ON x.id = %s"),
    "job_token": (JOB, "JOIN credentials_jobtoken j ON j.id = %s"),
}
OPENED_BY = {
    "limited key": (
        "kp",
        "JOIN credentials_apikey_products kp"
        " ON kp.apikey_id = k.id AND kp.product_id = b.product_id",
    ),
    "publisher": (
        "tp",
        "JOIN credentials_trustedpublisher_products tp"
        " ON tp.trustedpublisher_id = t.id AND tp.product_id = b.product_id",
    ),
    # Never removed, and locked before the build where a job registers: not locked here.
    "job_token": (
        "",
        "JOIN credentials_jobgrant jp ON jp.job_token_id = j.id AND jp.product_id = b.product_id",
    ),
}


def right_still_stands(
    *, caller: Caller, build_id: int, now: datetime, to_write: bool = True, lock: bool = True
) -> bool:
    """Whether the caller may still have credentials for the build: to write, or to look at it.

    Runs inside a transaction. Locks client, key, publisher, token, build, grant, and the products
    that a key or a publisher is limited to, always in this order. With `lock=False` the same rows
    are only read anew: enough for who is served what was issued already, where hundreds at once
    would wait for each other's locks.
    """
    shown = tuple(name for name in SHOWN if getattr(caller, name))
    text, locks = _statement(shown, is_limited=_is_limited(caller))
    parts = [CLIENT, *(SHOWN[name][0] for name in shown), STATE]
    ids = [getattr(caller, name).pk for name in shown]
    parameters = [*ids, build_id, caller.client.pk]
    row = fetch(text + (locking(*locks) if lock else ""), parameters, *parts)
    if row is None:
        return False
    client, *tokens, build, owner_id, owner_job_id = row
    found = _caller(client, dict(zip(shown, tokens, strict=True)))
    owned, closable = _ownership(found, owner_id, owner_job_id)
    return (
        found.is_alive(now)
        and build.is_open(now)
        and _is_limited(found) <= _is_limited(caller)
        and (owned if to_write else closable)
    )


@cache
def _statement(shown: tuple[str, ...], *, is_limited: bool) -> tuple[str, list[str]]:
    """The statement for callers who showed this, and the aliases to lock."""
    limits = [name for name in ("publisher", "job_token") if name in shown]
    opened_by = [OPENED_BY[name] for name in (["limited key"] if is_limited else []) + limits]
    columns = [CLIENT, *(SHOWN[name][0] for name in shown), STATE]
    text = " ".join(
        [
            "SELECT",
            ", ".join(part.sql for part in columns),
            ", r.client_id, r.job_token_id FROM credentials_client c",
            *(SHOWN[name][1] for name in shown),
            "JOIN builds_build b ON b.id = %s",
            "JOIN credentials_grant g ON g.client_id = c.id AND g.product_id = b.product_id",
            "JOIN credentials_registration r ON r.build_id = b.id",
            *(join for _, join in opened_by),
            "WHERE c.id = %s",
        ]
    )
    tables = [part.alias for part in columns]
    return text, [*tables, "g", *(alias for alias, _ in opened_by if alias)]


def _caller(client: Client, shown: dict[str, Any]) -> Caller:
    publisher, job = shown.pop("publisher", None), shown.get("job_token")
    if job:
        job.publisher = publisher
    return Caller(client=client, **shown)


# How much one client, and one job, may have at a time. Counted in the database, where all
# processes look.
#
# Two calls at once may both pass the last place: the limits stop runaway jobs, not an attacker.

HOUR = timedelta(hours=1)
# Of the sessions of one job, at most this part of the limit counts against its client, so that
# one job which asks too often does not take its siblings' place.
PART_OF_A_JOB = 10
NAME_OF_A_JOB = f"{TokenKind.JOB_TOKEN.value}_"
OF_A_JOB = Q(token_name__contains=NAME_OF_A_JOB)


def require_room(*, caller: Caller, now: datetime) -> None:
    """Whether the caller may register a build, by what its client and its job have.

    Raises TooManyOpenBuilds, TooManySessions.
    """
    limit = settings.LTD_OPEN_BUILDS
    at = connection.ops.adapt_datetimefield_value(now)
    if fetch(OPEN_BUILDS, [caller.client.pk, at, limit]) == [limit]:
        raise TooManyOpenBuilds(
            f"This client has {limit} open builds, the most it may (LTD_OPEN_BUILDS). "
            "Finish or delete some."
        )
    of_the_client, of_the_job = _sessions_of_the_hour(caller, now)
    _require("job", of_the_job)
    _require("client", of_the_client)


def require_session(*, caller: Caller, now: datetime) -> None:
    """Whether the caller may ask for one more session. Raises TooManySessions.

    A job is held to its own sessions alone: it has its build, whatever its siblings do. Checks
    of the store, where nobody showed a token, are not limited.
    """
    if caller.job_token:
        _require("job", _sessions_of_the_hour(caller, now)[1])
    elif caller.api_key:
        _require("client", _sessions_of_the_hour(caller, now)[0])


def _require(whose: str, sessions: int) -> None:
    limit = settings.LTD_SESSIONS_AN_HOUR
    if sessions >= limit:
        raise TooManySessions(
            f"This {whose} asked for {limit} sessions within an hour, the most it may "
            "(LTD_SESSIONS_AN_HOUR). Come back later, or use the credentials that it has."
        )


# The sums that `sessions_by_token` gives, with the ORM's query for them made once.
SESSIONS_OF_THE_HOUR = f"""SELECT SUM(CASE WHEN by_job AND sessions > %s THEN %s ELSE sessions END),
       SUM(CASE WHEN by_job AND token_name = %s THEN sessions ELSE 0 END)
FROM (SELECT token_name, COUNT(*) AS sessions,
             token_name LIKE '%%{NAME_OF_A_JOB.replace("_", "!_")}%%' ESCAPE '!' AS by_job
      FROM credentials_issuedsession WHERE client_id = %s AND requested_at > %s
      GROUP BY token_name) AS subquery
"""  # noqa: S608 - the prefix of a token's name
OPEN_BUILDS = """SELECT COUNT(*) FROM (
    SELECT 1 FROM builds_build b JOIN credentials_registration r ON r.build_id = b.id
    WHERE r.client_id = %s AND b.finished_at IS NULL AND b.deleted_at IS NULL
      AND b.superseded_at IS NULL AND b.open_until > %s
    LIMIT %s) AS subquery
"""


def _sessions_of_the_hour(caller: Caller, now: datetime) -> tuple[int, int]:
    """How many count against the client, and how many the caller's job asked for (0 for a key)."""
    share, since = _share_of_a_job(), connection.ops.adapt_datetimefield_value(now - HOUR)
    found = fetch(SESSIONS_OF_THE_HOUR, [share, share, caller.token_name, caller.client.pk, since])
    of_the_client, of_the_job = found or (0, 0)
    return int(of_the_client or 0), int(of_the_job or 0)


def _share_of_a_job() -> int:
    return max(1, settings.LTD_SESSIONS_AN_HOUR // PART_OF_A_JOB)


def sessions_by_token(rows: "QuerySet[Any]", *by: str) -> "QuerySet[Any, dict[str, Any]]":
    """Of each token, its `sessions` among some ledger rows, and how many are `counted`."""
    share = _share_of_a_job()
    counted: QuerySet[Any, dict[str, Any]] = (
        rows.order_by()
        .values(*by, "token_name")
        .annotate(
            sessions=Count("pk"),
            counted=Case(When(OF_A_JOB, then=Least(F("sessions"), share)), default=F("sessions")),
        )
    )
    return counted


# A build belongs to who registered it: to one job, or to the client through any of its keys.
#
# Only the owner gets credentials. A job's build may be finished and deleted by the client's keys
# as well, so that a job that crashed needs no operator.


def register_owned_build(
    *,
    caller: Caller,
    product: Product,
    slug: str | None,
    git_refs: list[str],
    github_requester: str,
    now: datetime,
) -> Build:
    """A new build and the note of who owns it, in one transaction.

    A job's older build of the product, if it is still open, is superseded; or is the answer, if
    its slug is the one that was asked for: a retry in the same job just works. Raises SlugTaken,
    JobFinished, TooManyOpenBuilds, TooManySessions.
    """
    with transaction.atomic():
        place = _place_of_job(caller, product)
        if place and (again := _open_build_at(place, slug, now)):
            return again
        if place:
            _supersede(place, now)
        require_room(caller=caller, now=now)
        build = register_build(
            product=product,
            slug=slug,
            git_refs=git_refs,
            github_requester=github_requester,
            open_until=_open_until(caller, now),
            now=now,
        )
        registration = Registration(
            build=build,
            client=caller.client,
            job_token=caller.job_token,
            token_name=caller.token_name,
        )
        insert(registration)
        if place:
            place.current_build = build
            update(place, ("current_build",))
        return build


def _place_of_job(caller: Caller, product: Product) -> JobGrant | None:
    """Where a job notes its build of the product: locked."""
    if caller.job_token is None:
        return None
    places = JobGrant.objects.select_for_update(no_key=True)
    place = places.filter(job_token=caller.job_token, product=product).first()
    if place is None:
        raise ProductNotGranted
    return place


def _open_build_at(place: JobGrant, slug: str | None, now: datetime) -> Build | None:
    """The job's build, if it has that slug and is open. A key's builds are not looked for here:
    nothing tells whether the job that asks is the one that registered them.
    """
    if slug is None or place.current_build_id is None:
        return None
    build = lock_build(build_id=place.current_build_id)
    return build if build.slug == slug and build.is_open(now) else None


def _supersede(place: JobGrant, now: datetime) -> None:
    """Put the job's older build out of the way. Raises JobFinished."""
    if place.current_build_id:
        older = supersede_build(build_id=place.current_build_id, now=now)
        if older.finished_at:
            raise JobFinished


def _open_until(caller: Caller, now: datetime) -> datetime:
    """The end of the upload window, or of the token that was shown if that is sooner."""
    window = now + timedelta(seconds=settings.LTD_UPLOAD_WINDOW_SECONDS)
    return min(window, caller.expires_at or window)


def granted_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may see. Raises UnknownBuild, ProductNotGranted."""
    return _right(caller, build_id).build


def owned_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may write to. Raises UnknownBuild, ProductNotGranted, NotYourBuild."""
    right = _right(caller, build_id)
    if not right.owned:
        raise NotYourBuild
    return right.build


def closable_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may finish or delete. Raises as `owned_build` does."""
    right = _right(caller, build_id)
    if not right.closable:
        raise NotYourBuild
    return right.build


def _right(caller: Caller, build_id: int) -> BuildRight:
    right = right_to_build(caller=caller, build_id=build_id)
    if right is None:
        raise UnknownBuild
    if not right.granted:
        raise ProductNotGranted
    return right


def open_build(*, caller: Caller, product_slug: str | None, now: datetime) -> Build:
    """The one open build that the caller may write to, of a product or of all of them.

    Raises NoOpenBuild, JobFinished, SeveralOpenBuilds.
    """
    owned = with_rights(caller).filter(owned=True, granted=True)  # type: ignore[misc]
    if product_slug is not None:
        owned = owned.filter(product__slug=product_slug)
    found = list(owned.open(now).order_by("-pk")[:2])
    if len(found) > 1:
        raise SeveralOpenBuilds
    if not found:
        is_spent = caller.job_token and owned.exclude(finished_at=None).exists()
        raise JobFinished if is_spent else NoOpenBuild
    return found[0]


def owned_registrations(caller: Caller) -> Q:
    """Which registrations make their build the caller's to write to."""
    return Q(client=caller.client, job_token=caller.job_token)


def closable_registrations(caller: Caller) -> Q:
    """Which registrations make their build the caller's to finish or delete."""
    if caller.job_token:
        return owned_registrations(caller)
    return Q(client=caller.client)


def with_rights(caller: Caller) -> BuildQuerySet:
    """Builds annotated with the caller's rights to each: `granted`, `owned`, `closable`."""
    registrations = Registration.objects.filter(build=OuterRef("pk"))
    return Build.objects.with_store().annotate(
        granted=_truth(may_use(caller, OuterRef("product"))),
        owned=Exists(registrations.filter(owned_registrations(caller))),
        closable=Exists(registrations.filter(closable_registrations(caller))),
    )


def _truth(condition: Q) -> "ExpressionWrapper[Any]":
    return ExpressionWrapper(condition, output_field=BooleanField())


def delete_owned_build(*, caller: Caller, build_id: int, now: datetime) -> Build:
    """Mark a build as deleted. Raises as `closable_build` does, and JobFinished.

    A job that has finished its build of the product deletes none there any more: what it
    published is for the client's keys to delete. Looked at under the lock that finishing takes.
    """
    closable_build(caller=caller, build_id=build_id)
    if caller.job_token is None:
        return delete_build(build_id=build_id, now=now)
    with transaction.atomic():
        build = lock_build(build_id=build_id)
        if _is_spent(caller.job_token, build.product):
            raise JobFinished
        return delete_build(build_id=build_id, now=now)


def _is_spent(job_token: JobToken, product: Product) -> bool:
    """Whether the job finished its build of the product."""
    places = JobGrant.objects.filter(job_token=job_token, product=product)
    return places.exclude(current_build__finished_at=None).exists()
