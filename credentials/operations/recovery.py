"""After a backup was restored: builds registered since the backup have no row, and a slug that a
client chooses could lead to a root that was used before. A store's bucket says which.

A restored database is told from the one it was saved from by what no backup keeps: on PostgreSQL
the numbers (OIDs) of the database and of a table, which pg_upgrade and failing over to a standby
leave as they are; on SQLite the number (inode) of the file. A restored copy of the whole server's
files has the same numbers: it looks like a failover.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path

import boto3
from django.db import connection

from builds.models import Build, Product, Store
from builds.names import root_of
from builds.services import create_product, recover_build
from credentials.vending.listing import MOST_OF_A_PRODUCT, listed_folders, listed_pages
from credentials.vending.store_clients import UNATTENDED, store_client

POSTGRESQL = """SELECT concat_ws(' ', d.oid, 'builds_build'::regclass::oid)
 FROM pg_database d WHERE d.datname = current_database()"""


def database_identity() -> str:
    """What the database is known by; empty for one in memory."""
    if connection.vendor == "sqlite":
        file = Path(str(connection.settings_dict["NAME"]))
        return str(file.stat().st_ino) if file.is_file() else ""
    with connection.cursor() as cursor:
        cursor.execute(POSTGRESQL)
        return str(cursor.fetchone()[0])


def why_restored() -> str:
    """A sentence about stores whose builds may be incomplete, since the database is another one
    than when it was last looked at; empty if there are none. New stores are noted as complete.
    """
    identity = database_identity()
    others = Store.objects.exclude(complete_in__in=["", identity]).order_by("name")
    if not (incomplete := ", ".join(others.values_list("name", flat=True))):
        new = Store.objects.filter(complete_in="")
        if new.exists():  # else nothing is written: the disk may be full
            new.update(complete_in=identity)
        return ""
    return (
        "This database was restored or moved. Builds registered since the backup are missing, and "
        "their roots could be used again. Run manage.py recover_builds for each of these "
        f"stores: {incomplete}. Add --moved if everything was stopped while the database moved."
    )


def confirm_complete(store: Store) -> None:
    """Note that the database has every build of a store."""
    Store.objects.filter(pk=store.pk).update(complete_in=database_identity())


def recover_builds(
    *,
    store: Store,
    auditor: boto3.session.Session,
    now: datetime,
    on_objects: Callable[[int], object] = int,
) -> Iterator[Build]:
    """Register, as finished and nobody's, each build that lies in a store's bucket and is not here;
    products too. Then the store is complete. Raises as `listed_pages` does.
    """
    s3 = store_client(store, "s3", auditor, UNATTENDED)
    folders = chain.from_iterable(folders for _, folders in listed_folders(s3, bucket=store.bucket))
    for folder in folders:
        pages = listed_pages(s3, bucket=store.bucket, prefix=folder, most=MOST_OF_A_PRODUCT)
        for page in pages:
            on_objects(len(page))
            roots = {root for entry in page if (root := root_of(entry["Key"]))}
            known = set(Build.objects.filter(root__in=roots).values_list("root", flat=True))
            for root in sorted(roots - known):
                yield from _recovered(store, root, now)
    confirm_complete(store)


def _recovered(store: Store, root: str, now: datetime) -> Iterator[Build]:
    """The build of a root; none if its product is another store's, which makes no such root
    in this bucket.
    """
    product_slug, _, slug = root.split("/")
    product = Product.objects.filter(slug=product_slug).first()
    if product is None:
        product = create_product(slug=product_slug, store_name=store.name)
    if product.store.bucket == store.bucket:
        yield recover_build(product=product, slug=slug, now=now)
