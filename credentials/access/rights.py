"""What a caller may do with products and builds, written once, as SQL with fixed text.

A product is open to a caller when the client is granted it, and the key, the trusted publisher
and the job token that were shown each open it as well. A build belongs to who registered it: to
one job, or to the client through any of its keys. Only the owner gets credentials; a job's build
may be finished and deleted by the client's keys too, so that a job that crashed needs no operator.

The right is checked twice: at first, where an error says what is missing, and again under locks
before a session is completed. The second statement joins all that the right rests on. EXISTS
would not do: after a wait for a lock PostgreSQL reads joined rows again, but still answers a
subquery from before the wait.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    Exists,
    F,
    Model,
    OuterRef,
    Q,
    QuerySet,
    When,
)
from django.db.models.functions import Least

from builds.errors import UnknownBuild, UnknownProduct
from builds.fixed_sql import Columns, fetch, fetch_all, insert, locking, update
from builds.models import Build, Product, Store
from builds.names import is_product_slug
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

# What a caller may have shown, in the order in which it is locked.
SHOWN: dict[str, Columns[Any]] = {
    "client": Columns(Client, "c", only=["id", "is_active"]),
    "api_key": Columns(ApiKey, "k", only=["id", "all_products", "expires_at", "withdrawn_at"]),
    "publisher": Columns(TrustedPublisher, "t", only=["id", "is_active"]),
    "key_session": Columns(KeySession, "x", only=["id", "expires_at"]),
    "job_token": Columns(JobToken, "j", only=["id", "expires_at", "ended_at"]),
}
STATE = Columns(Build, "b", only=["id", "open_until", "finished_at", "deleted_at", "superseded_at"])
BUILD, PRODUCT, STORE = Columns(Build, "b"), Columns(Product, "p"), Columns(Store, "s")
PRODUCT_OF_BUILD = "JOIN builds_product p ON p.id = b.product_id"
STORE_OF_PRODUCT = "JOIN builds_store s ON s.id = p.store_id"


class Opening(NamedTuple):
    """Rows that open products to a part of what was shown, whose id they have in `column`."""

    rows: type[Model]
    alias: str
    part: str
    column: str

    @property
    def join(self) -> str:
        """JOIN the row that opens product `p`."""
        rows, alias, part, column = self
        table = rows._meta.db_table
        return (
            f"JOIN {table} {alias} ON {alias}.product_id = p.id AND {alias}.{column} = %({part})s"
        )


OF_CLIENT = Opening(Grant, "g", "client", "client_id")
OF_LIMITED_KEY = Opening(ApiKey.products.through, "kp", "api_key", "apikey_id")
OF_PUBLISHER = Opening(TrustedPublisher.products.through, "tp", "publisher", "trustedpublisher_id")
OF_JOB = Opening(JobGrant, "jp", "job_token", "job_token_id")
Openings = tuple[Opening, ...]


def _openings(caller: Caller) -> Openings:
    """Each of these has to open a product to the caller."""
    is_limited = caller.api_key is not None and not caller.api_key.all_products
    applies = {
        OF_CLIENT: True,
        OF_LIMITED_KEY: is_limited,
        OF_PUBLISHER: caller.publisher is not None,
        OF_JOB: caller.job_token is not None,
    }
    return tuple(opening for opening, is_wanted in applies.items() if is_wanted)


def _owned(openings: Openings) -> str:
    """Whether registration `r` makes its build the caller's to write to."""
    job = "= %(job_token)s" if OF_JOB in openings else "IS NULL"
    return f"r.client_id = %(client)s AND r.job_token_id {job}"


def _closable(openings: Openings) -> str:
    """Whether registration `r` makes its build the caller's to finish or delete."""
    return _owned(openings) if OF_JOB in openings else "r.client_id = %(client)s"


def _ids(caller: Caller) -> dict[str, Any]:
    return {name: part.pk for name in SHOWN if (part := getattr(caller, name))}


@dataclass(frozen=True, kw_only=True)
class BuildRight:
    """A build the caller may see, with product and store, and what else it may do with it."""

    build: Build
    may_write: bool
    may_close: bool


def right_to_build(*, caller: Caller, build_id: int) -> BuildRight:
    """The caller's right to a build. One statement. Raises UnknownBuild, ProductNotGranted."""
    if build_id > BigIntegerField.MAX_BIGINT:
        raise UnknownBuild
    text = _first_look(_openings(caller))
    row = fetch(text, _ids(caller) | {"build": build_id}, BUILD, PRODUCT, STORE)
    if row is None:
        raise UnknownBuild
    build, product, store, may_write, may_close, *opened_by = row
    if None in opened_by:
        raise ProductNotGranted
    build.product, product.store = product, store
    return BuildRight(build=build, may_write=bool(may_write), may_close=bool(may_close))


@cache
def _first_look(openings: Openings) -> str:
    opened_by = ", ".join(f"{opening.alias}.id" for opening in openings)
    return (
        f"SELECT {BUILD.sql}, {PRODUCT.sql}, {STORE.sql},"  # noqa: S608 - names of columns
        f" {_owned(openings)}, {_closable(openings)}, {opened_by}"
        f" FROM builds_build b {PRODUCT_OF_BUILD} {STORE_OF_PRODUCT}"
        " LEFT JOIN credentials_registration r ON r.build_id = b.id"
        f" {' '.join(f'LEFT {opening.join}' for opening in openings)}"
        " WHERE b.id = %(build)s"
    )


def granted_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may see. Raises UnknownBuild, ProductNotGranted."""
    return right_to_build(caller=caller, build_id=build_id).build


def owned_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may write to. Raises UnknownBuild, ProductNotGranted, NotYourBuild."""
    right = right_to_build(caller=caller, build_id=build_id)
    if not right.may_write:
        raise NotYourBuild
    return right.build


def closable_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may finish or delete. Raises as `owned_build` does."""
    right = right_to_build(caller=caller, build_id=build_id)
    if not right.may_close:
        raise NotYourBuild
    return right.build


def right_still_stands(
    *, caller: Caller, build_id: int, now: datetime, to_write: bool = True, lock: bool = True
) -> bool:
    """Whether the caller may still have credentials for the build: to write, or to look at it.

    Runs inside a transaction. Locks client, key, publisher, token, build, grant, and the products
    that a key or a publisher is limited to, always in this order. With `lock=False` the same rows
    are only read again: enough for a caller that is served what was issued already, where hundreds
    at once would wait for each other's locks.
    """
    ids, openings = _ids(caller), _openings(caller)
    parts = [SHOWN[name] for name in ids]
    text = _last_look(tuple(ids), openings, to_write=to_write)
    if lock:
        # A job's grant is never removed, and locked before the build where the job registers.
        limits = [opening.alias for opening in openings if opening is not OF_JOB]
        text += locking(*(part.alias for part in parts), STATE.alias, *limits)
    row = fetch(text, ids | {"build": build_id}, *parts, STATE)
    if row is None:
        return False
    *shown, build = row
    found = _caller(**dict(zip(ids, shown, strict=True)))
    # A key that was limited meanwhile has an opening that was not asked for.
    is_opened = set(_openings(found)) <= set(openings)
    return found.is_alive(now) and is_opened and build.is_open(now)


@cache
def _last_look(shown: tuple[str, ...], openings: Openings, *, to_write: bool) -> str:
    parts = {name: SHOWN[name] for name in shown}
    tokens = [
        f"JOIN {part.model._meta.db_table} {part.alias} ON {part.alias}.id = %({name})s"
        for name, part in parts.items()
    ]
    return (
        f"SELECT {', '.join(part.sql for part in parts.values())}, {STATE.sql}"  # noqa: S608 - as above
        f" FROM builds_build b {PRODUCT_OF_BUILD} {' '.join(tokens)}"
        " JOIN credentials_registration r ON r.build_id = b.id"
        f" {' '.join(opening.join for opening in openings)}"
        f" WHERE b.id = %(build)s AND {_owned(openings) if to_write else _closable(openings)}"
    )


def _caller(publisher: TrustedPublisher | None = None, **shown: Any) -> Caller:
    if job_token := shown.get("job_token"):
        job_token.publisher = publisher
    return Caller(**shown)


def open_build(*, caller: Caller, product_slug: str | None, now: datetime) -> Build:
    """The one open build that the caller may write to, of a product or of all of them.

    Raises NoOpenBuild, JobFinished, SeveralOpenBuilds.
    """
    found = _owned_builds(caller, OPEN, product_slug, now)
    if len(found) > 1:
        raise SeveralOpenBuilds
    if not found:
        is_spent = caller.job_token and _owned_builds(caller, FINISHED, product_slug, now)
        raise JobFinished if is_spent else NoOpenBuild
    return found[0]


OPEN = (
    "b.finished_at IS NULL AND b.deleted_at IS NULL AND b.superseded_at IS NULL"
    " AND b.open_until > %(now)s"
)
FINISHED = "b.finished_at IS NOT NULL"


def _owned_builds(
    caller: Caller, state: str, product_slug: str | None, now: datetime
) -> list[Build]:
    """The newest two of the caller's builds in a state."""
    of_product = "" if product_slug is None else " AND p.slug = %(slug)s"
    at = connection.ops.adapt_datetimefield_value(now)
    parameters = _ids(caller) | {"now": at, "slug": product_slug}
    text = f"{_owned_in(_openings(caller))} AND {state}{of_product} ORDER BY b.id DESC LIMIT 2"
    found = []
    for build, product, store in fetch_all(text, parameters, BUILD, PRODUCT, STORE):
        build.product, product.store = product, store
        found.append(build)
    return found


@cache
def _owned_in(openings: Openings) -> str:
    return (
        f"SELECT {BUILD.sql}, {PRODUCT.sql}, {STORE.sql}"  # noqa: S608 - as above
        f" FROM builds_build b {PRODUCT_OF_BUILD} {STORE_OF_PRODUCT}"
        " JOIN credentials_registration r ON r.build_id = b.id"
        f" {' '.join(opening.join for opening in openings)} WHERE {_owned(openings)}"
    )


def granted_product(*, caller: Caller, slug: str) -> Product:
    """A product the caller may use. Raises UnknownProduct, ProductNotGranted."""
    if not is_product_slug(slug):
        raise UnknownProduct
    text = _product(_openings(caller))
    row = fetch(text, _ids(caller) | {"slug": slug}, PRODUCT, STORE)
    if row is None:
        raise UnknownProduct
    product: Product
    product, product.store, *opened_by = row
    if None in opened_by:
        raise ProductNotGranted
    return product


@cache
def _product(openings: Openings) -> str:
    opened_by = ", ".join(f"{opening.alias}.id" for opening in openings)
    return (
        f"SELECT {PRODUCT.sql}, {STORE.sql}, {opened_by}"  # noqa: S608 - as above
        f" FROM builds_product p {STORE_OF_PRODUCT}"
        f" {' '.join(f'LEFT {opening.join}' for opening in openings)}"
        " WHERE p.slug = %(slug)s"
    )


def usable_products(caller: Caller) -> QuerySet[Product]:
    """The products that are open to the caller."""
    ids, products = _ids(caller), Product.objects.all()
    for rows, _, part, column in _openings(caller):
        opening: QuerySet[Model] = QuerySet(rows).filter(
            product=OuterRef("pk"), **{column: ids[part]}
        )
        products = products.filter(Exists(opening))
    return products


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


# Registering builds, with their owner, and deleting them.


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
