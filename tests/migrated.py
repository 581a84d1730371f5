"""The test database: on SQLite, a copy of one that was migrated when the migrations last changed.

Migrating takes seconds, and every worker and every named bug would do it again.
"""

import fcntl
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from hashlib import sha256
from pathlib import Path

from django.apps import apps
from django.db import connection, transaction

KEPT = Path(__file__).resolve().parent.parent / ".build"  # until `make clean`
# What a schema and the rows of migrations come from, in the folder of each app.
SOURCES = ("*.py", "models/**/*.py", "migrations/*.py")
MOST_KEPT = 5
# What Django would make again.
MADE_ANEW = {"auth_permission", "django_content_type"}


def create_test_database() -> str:
    """Create this process's database; return the name of the one it stands for."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        KEPT.mkdir(exist_ok=True)
        with (KEPT / "migrated.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _migrated().exists():
                _migrate()
        connection.close()
        connection.settings_dict["NAME"] = connection.settings_dict["TEST"]["NAME"]
        restore_test_database()
    else:
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    return name


def restore_test_database() -> None:
    """Let no row stay that a test has committed.

    Django's way, to empty every table and make the permissions anew, takes more than ten times as
    long: 26 ms on SQLite, 190 ms on PostgreSQL. Groups are there afterwards on SQLite alone.
    """
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(_migrated())) as migrated:
            migrated.backup(connection.connection)
        return
    tables = set(connection.introspection.django_table_names(only_existing=True)) - MADE_ANEW
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # in any order of tables
        for table in sorted(tables):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608


def _migrate() -> None:
    made = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()  # into the file goes what stood in its log
    Path(shutil.move(made, KEPT / "migrated.part")).rename(_migrated())
    for old in sorted(KEPT.glob("migrated-*"), key=lambda file: file.stat().st_mtime)[:-MOST_KEPT]:
        old.unlink()


@cache
def _migrated() -> Path:
    """The file that these apps' migrations make."""
    folders = [Path(app.path) for app in apps.get_app_configs()]
    files = [file for each in folders for source in SOURCES for file in sorted(each.glob(source))]
    version = sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    return KEPT / f"migrated-{version}.sqlite3"
