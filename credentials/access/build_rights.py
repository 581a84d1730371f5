"""A caller's right to a build as two fixed statements: at first, and again under locks.

Both are asked of the same tables; what they find is judged by the same Python. The first tells why
there is no right. The second joins and locks everything that the right rests on, so that a row that
is gone leaves nothing: on PostgreSQL a condition with EXISTS would be answered from before a wait
for a lock, joined rows that are locked are read anew after it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import BigIntegerField

from builds.fixed_sql import Columns, fetch, locking
from builds.models import Build, Product, Store
from credentials.access.callers import Caller
from credentials.access.models import ApiKey, Client, JobToken, KeySession, TrustedPublisher

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
