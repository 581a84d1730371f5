"""The test database: on SQLite, a copy of one that was migrated when the migrations last changed.

Migrating takes seconds, and every worker, named bug and mutant would do it again.
"""

import fcntl
import shutil
from hashlib import sha256
from pathlib import Path

from django.apps import apps
from django.db import connection

KEPT = Path(__file__).resolve().parent.parent / ".build"  # until `make clean`
# What a schema and the rows of migrations come from, in the folder of each app.
SOURCES = ("*.py", "models/**/*.py", "migrations/*.py")
MOST_KEPT = 5


def create_test_database() -> str:
    """Create this process's database; return the name of the one it stands for."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite":
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        return name
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        migrated = KEPT / f"migrated-{_version()}.sqlite3"
        if not migrated.exists():
            _migrate(migrated)
        target = connection.settings_dict["TEST"]["NAME"]
        connection.close()
        shutil.copyfile(migrated, target)
    connection.settings_dict["NAME"] = target
    return name


def _version() -> str:
    files = [
        file
        for app in apps.get_app_configs()
        for pattern in SOURCES
        for file in sorted(Path(app.path).glob(pattern))
    ]
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _migrate(migrated: Path) -> None:
    target = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()  # into the file goes what stood in its log
    Path(shutil.move(target, KEPT / "migrated.part")).rename(migrated)
    for old in sorted(KEPT.glob("migrated-*"), key=lambda file: file.stat().st_mtime)[:-MOST_KEPT]:
        old.unlink()
