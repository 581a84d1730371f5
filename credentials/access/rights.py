"""What a caller may do with products and builds, written once, as SQL with fixed text.

A product is open to a caller if the client is granted it, and the key, the trusted publisher
and the job token in use each open it as well. A build belongs to whoever registered it: to
one job, or to the client through any of its keys. Only the owner gets credentials; a job's build
may be finished and deleted by the client's keys too, so that a job that crashed needs no operator,
and deleted by every job of its trusted publisher, so that removing previews needs no key.

The right is checked twice: at first, where an error says what is missing, and again under locks
before a session is completed. The second statement joins everything that the right depends on.
EXISTS would not do: after waiting for a lock, PostgreSQL reads joined rows again, but evaluates a
subquery as of before the wait.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Exists,
    Model,
    OuterRef,
    QuerySet,
)

from builds.errors import UnknownBuild, UnknownProduct
from builds.fixed_sql import Columns, Condition, fetch, fetch_all, locking, relate
from builds.models import Build, Product, Store
from builds.names import is_product_slug
from credentials.access.callers import FIND, Caller, Find, authenticate
from credentials.errors import (
    JobFinished,
    NoOpenBuild,
    NotYourBuild,
    ProductNotGranted,
    SeveralOpenBuilds,
)
from credentials.models import (
    AccessToken,
    ApiKey,
    BuildOwner,
    Client,
    Grant,
    JobProduct,
    JobToken,
    TrustedPublisher,
)
from credentials.rules.tokens import TokenKind

# What a caller may have shown, in the order in which it is locked. The aliases are those of FIND.
SHOWN: dict[str, Columns[Any]] = {
    "client": Columns(Client, "c", only=["id", "is_active"]),
    "api_key": Columns(ApiKey, "k", only=["id", "all_products", "expires_at", "revoked_at"]),
    "publisher": Columns(TrustedPublisher, "t", only=["id", "is_active"]),
    "access_token": Columns(AccessToken, "x", only=["id", "expires_at"]),
    "job_token": Columns(JobToken, "j", only=["id", "expires_at", "ended_at"]),
}
# How a statement names the ids of what was shown: as parameters, or of rows that it joins.
GIVEN = {name: f"%({name})s" for name in SHOWN}
JOINED = {name: f"{part.alias}.id" for name, part in SHOWN.items()}
# As `Build.is_open` has it.
OPEN = (
    "b.finished_at IS NULL AND b.deleted_at IS NULL AND b.superseded_at IS NULL"
    " AND b.open_until > %(now)s"
)
BUILD, PRODUCT, STORE = Columns(Build, "b"), Columns(Product, "p"), Columns(Store, "s")
PRODUCT_OF_BUILD = "JOIN builds_product p ON p.id = b.product_id"
STORE_OF_PRODUCT = "JOIN builds_store s ON s.id = p.store_id"


class Opening(NamedTuple):
    """Rows that open products to a part of what was shown, whose id they have in `column`."""

    rows: type[Model]
    alias: str
    part: str
    column: str

    def join(self, ids: Mapping[str, str]) -> str:
        """JOIN the row that opens product `p`."""
        rows, alias, part, column = self
        table = rows._meta.db_table
        return (
            f"JOIN {table} {alias} ON {alias}.product_id = p.id AND {alias}.{column} = {ids[part]}"
        )


OF_CLIENT = Opening(Grant, "g", "client", "client_id")
OF_LIMITED_KEY = Opening(ApiKey.products.through, "kp", "api_key", "apikey_id")
OF_PUBLISHER = Opening(TrustedPublisher.products.through, "tp", "publisher", "trustedpublisher_id")
OF_JOB = Opening(JobProduct, "jp", "job_token", "job_token_id")
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


def _owned(openings: Openings, ids: Mapping[str, str] = GIVEN) -> str:
    """Whether registration `r` makes its build the caller's to write to."""
    job = f"= {ids['job_token']}" if OF_JOB in openings else "IS NULL"
    return f"r.client_id = {ids['client']} AND r.job_token_id {job}"


def _closable(openings: Openings, ids: Mapping[str, str] = GIVEN) -> str:
    """Whether registration `r` makes its build the caller's to finish or delete."""
    return _owned(openings, ids) if OF_JOB in openings else f"r.client_id = {ids['client']}"


def _ids(caller: Caller) -> dict[str, Any]:
    return {name: part.pk for name in SHOWN if (part := getattr(caller, name))}


@dataclass(frozen=True, kw_only=True)
class BuildRight:
    """A build the caller may see, with product and store, and what else it may do with it."""

    build: Build
    may_write: bool
    may_close: bool


def authenticate_at_build(*, build_id: int, **presented: Any) -> Caller:
    """As `authenticate`; its statement has the first look at a build too."""
    # No build has the largest id: such a look finds nothing.
    sought = min(build_id, BigIntegerField.MAX_BIGINT)
    return authenticate(**presented, finds=FIND_WITH_BUILD, build=sought)


def right_to_build(*, caller: Caller, build_id: int) -> BuildRight:
    """The caller's right to a build. Raises UnknownBuild, ProductNotGranted.

    One statement; none for who was just authenticated at the build, but only once: a caller
    that asks again, perhaps after a wait, gets what is true then.
    """
    openings = _openings(caller)
    row, asked = caller.first_look[:], OF_ANY_JOB if caller.job_token else OF_ANY_KEY
    caller.first_look.clear()
    if not row or row[0] is None or row[0].pk != build_id:
        row, asked = _look_at_build(caller, build_id, openings), openings
    build, product, store, may_write, may_close, *opened_by = row
    opened = {opening for opening, by in zip(asked, opened_by, strict=True) if by is not None}
    if not opened.issuperset(openings):
        raise ProductNotGranted
    relate(product, store=store)
    relate(build, product=product)
    return BuildRight(build=build, may_write=bool(may_write), may_close=bool(may_close))


def _look_at_build(caller: Caller, build_id: int, openings: Openings) -> list[Any]:
    if build_id > BigIntegerField.MAX_BIGINT:
        raise UnknownBuild
    row = fetch(_first_look(openings), _ids(caller) | {"build": build_id}, *LOOK)
    if row is None:
        raise UnknownBuild
    return row


@cache
def _first_look(openings: Openings) -> str:
    parts = ", ".join(part.sql for part in LOOK)
    columns, joins = ", ".join(_rights(openings, GIVEN)), _joins(openings, GIVEN)
    return f"SELECT {parts}, {columns} FROM builds_build b {joins} WHERE b.id = %(build)s"  # noqa: S608 - names of columns


LOOK = (BUILD, PRODUCT, STORE)


def _rights(openings: Openings, ids: Mapping[str, str]) -> tuple[str, ...]:
    """Of a build `b`: whether it is the caller's to write to, to close, and what opens it."""
    opened_by = (f"{opening.alias}.id" for opening in openings)
    return _owned(openings, ids), _closable(openings, ids), *opened_by


def _joins(openings: Openings, ids: Mapping[str, str]) -> str:
    return (
        f"LEFT {PRODUCT_OF_BUILD} LEFT {STORE_OF_PRODUCT}"
        " LEFT JOIN credentials_registration r ON r.build_id = b.id "
        + " ".join(f"LEFT {opening.join(ids)}" for opening in openings)
    )


# Those that a token could need, whatever its rows say.
OF_ANY_KEY: Openings = (OF_CLIENT, OF_LIMITED_KEY)
OF_ANY_JOB: Openings = (OF_CLIENT, OF_LIMITED_KEY, OF_PUBLISHER, OF_JOB)


def _with_build(find: Find, openings: Openings) -> Find:
    joins = _joins(openings, JOINED)
    return replace(
        find,
        tables=f"{find.tables} LEFT JOIN builds_build b ON b.id = %(build)s {joins}",
        parts=(*find.parts, *LOOK),
        more=_rights(openings, JOINED),
    )


FIND_WITH_BUILD = {
    kind: _with_build(find, OF_ANY_JOB if kind is TokenKind.JOB_TOKEN else OF_ANY_KEY)
    for kind, find in FIND.items()
}


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


def deletable_build(*, caller: Caller, build_id: int) -> Build:
    """A build the caller may delete: one that it may close, or that a job of the same trusted
    publisher registered. Raises as `owned_build` does.
    """
    right = right_to_build(caller=caller, build_id=build_id)
    if not right.may_close and not _is_of_publisher(caller, right.build):
        raise NotYourBuild
    return right.build


def _is_of_publisher(caller: Caller, build: Build) -> bool:
    """Whether a job of the caller's trusted publisher, this one or another, registered a build."""
    if caller.publisher is None:
        return False
    owners = BuildOwner.objects.filter(build=build, client=caller.client)
    return owners.filter(job_token__publisher=caller.publisher).exists()


def standing_right(
    *, caller: Caller, build_id: int, now: datetime, to_write: bool = True, lock: bool = True
) -> Condition:
    """The right to have credentials for the build, to write or to look at it, at a moment, as SQL.

    Locks client, key, publisher, token, build, grant, and the products that a key or a publisher
    is limited to, always in this order. `lock=False` is enough for a caller that is served what was
    issued already, where hundreds at once would wait for each other's locks.
    """
    ids, openings = _ids(caller), _openings(caller)
    text = _last_look(tuple(ids), openings, to_write=to_write)
    if lock:
        # A job's grant is never removed, and locked before the build where the job registers.
        limits = [opening.alias for opening in openings if opening is not OF_JOB]
        text += locking(*(SHOWN[name].alias for name in ids), "b", *limits)
    at = connection.ops.adapt_datetimefield_value(now)
    return Condition(text, {**ids, "build": build_id, "now": at})


# As `Caller.is_alive` has it. A key that was limited meanwhile needs an opening that was not asked
# for.
IS_ALIVE = {
    "client": "c.is_active",
    "api_key": "k.withdrawn_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > %(now)s)",
    "publisher": "t.is_active",
    "access_token": "x.expires_at > %(now)s",
    "job_token": "j.ended_at IS NULL AND j.expires_at > %(now)s",
}
IS_UNLIMITED = "k.all_products"


@cache
def _last_look(shown: tuple[str, ...], openings: Openings, *, to_write: bool) -> str:
    parts = {name: SHOWN[name] for name in shown}
    tokens = [
        f"JOIN {part.model._meta.db_table} {part.alias} ON {part.alias}.id = %({name})s"
        for name, part in parts.items()
    ]
    is_unlimited = "api_key" in shown and OF_LIMITED_KEY not in openings
    conditions = (
        _owned(openings) if to_write else _closable(openings),
        *(IS_ALIVE[name] for name in shown),
        *([IS_UNLIMITED] if is_unlimited else []),
        OPEN,
    )
    return (
        f"SELECT 1 FROM builds_build b {PRODUCT_OF_BUILD} {' '.join(tokens)}"  # noqa: S608 - as above
        " JOIN credentials_registration r ON r.build_id = b.id"
        f" {' '.join(opening.join(GIVEN) for opening in openings)}"
        f" WHERE b.id = %(build)s AND {' AND '.join(conditions)}"
    )


def open_build(*, caller: Caller, product_slug: str | None, now: datetime) -> Build:
    """The one open build that the caller may write to, of a product or of all of them.

    Raises NoOpenBuild, JobFinished, SeveralOpenBuilds.
    """
    found = _open_builds(caller, product_slug, now)
    if len(found) > 1:
        raise SeveralOpenBuilds
    if not found:
        of = {} if product_slug is None else {"product__slug": product_slug}
        is_over = caller.job_token and is_spent(caller.job_token, **of)
        raise JobFinished if is_over else NoOpenBuild
    return found[0]


def is_spent(job_token: JobToken, **of: Any) -> bool:
    """Whether the job has finished its build of each of its products, or of those named."""
    places = JobProduct.objects.filter(job_token=job_token, **of)
    finished = list(places.values_list("current_build__finished_at", flat=True))
    return bool(finished) and all(finished)


def _open_builds(caller: Caller, product_slug: str | None, now: datetime) -> list[Build]:
    """The newest two of the caller's open builds."""
    of_product = "" if product_slug is None else " AND p.slug = %(slug)s"
    at = connection.ops.adapt_datetimefield_value(now)
    parameters = _ids(caller) | {"now": at, "slug": product_slug}
    text = f"{_owned_in(_openings(caller))} AND {OPEN}{of_product} ORDER BY b.id DESC LIMIT 2"
    found = []
    for build, product, store in fetch_all(text, parameters, BUILD, PRODUCT, STORE):
        relate(product, store=store)
        relate(build, product=product)
        found.append(build)
    return found


@cache
def _owned_in(openings: Openings) -> str:
    return (
        f"SELECT {BUILD.sql}, {PRODUCT.sql}, {STORE.sql}"  # noqa: S608 - as above
        f" FROM builds_build b {PRODUCT_OF_BUILD} {STORE_OF_PRODUCT}"
        " JOIN credentials_registration r ON r.build_id = b.id"
        f" {' '.join(opening.join(GIVEN) for opening in openings)} WHERE {_owned(openings)}"
    )


def granted_product(*, caller: Caller, slug: str) -> Product:
    """A product the caller may use. Raises UnknownProduct, ProductNotGranted."""
    if not is_product_slug(slug):
        raise UnknownProduct
    text = _product(_openings(caller))
    row = fetch(text, _ids(caller) | {"slug": slug}, PRODUCT, STORE)
    if row is None:
        raise UnknownProduct
    product, store, *opened_by = row
    relate(product, store=store)
    if None in opened_by:
        raise ProductNotGranted
    found: Product = product
    return found


@cache
def _product(openings: Openings) -> str:
    opened_by = ", ".join(f"{opening.alias}.id" for opening in openings)
    return (
        f"SELECT {PRODUCT.sql}, {STORE.sql}, {opened_by}"  # noqa: S608 - as above
        f" FROM builds_product p {STORE_OF_PRODUCT}"
        f" {' '.join(f'LEFT {opening.join(GIVEN)}' for opening in openings)}"
        " WHERE p.slug = %(slug)s"
    )


def usable_products(caller: Caller) -> QuerySet[Product]:
    ids, products = _ids(caller), Product.objects.all()
    for rows, _, part, column in _openings(caller):
        opening: QuerySet[Model] = QuerySet(rows).filter(
            product=OuterRef("pk"), **{column: ids[part]}
        )
        products = products.filter(Exists(opening))
    return products
