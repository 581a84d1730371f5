"""Settings of the tests: production's own, from an environment that does not depend on the
machine: no `.env`, no AWS keys, a SQLite file of their own. `LTD_TEST_DATABASE_URL` names another
database, such as the PostgreSQL that `make test-postgres` starts.
"""

import os
import tempfile
from pathlib import Path

DATABASE_URL = os.environ.get("LTD_TEST_DATABASE_URL", "")

for name in [name for name in os.environ if name.startswith(("LTD_", "AWS_"))]:
    if name.startswith("LTD_TEST_"):
        continue  # which database and which store; workers of pytest-xdist inherit it
    del os.environ[name]

# Commits wait for the disk, as in production: tests need not, where there is a folder in memory.
PARENT = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108
FOLDER = Path(PARENT) / f"ltdkeeper-tests-{os.getuid()}"
FOLDER.mkdir(mode=0o700, exist_ok=True)

os.environ |= {
    "LTD_ENV_FILE": os.devnull,
    "LTD_SECRET_KEY": "only-for-tests-" * 5,
    "LTD_PUBLIC_URL": "https://keeper.example.org",
    "LTD_ALLOWED_HOSTS": "keeper.example.org,testserver",
    "LTD_ALLOW_SQLITE": "true",
    "DATABASE_URL": DATABASE_URL or f"sqlite:///{FOLDER / f'{os.getpid()}.sqlite3'}",
    "AWS_ACCESS_KEY_ID": "AKIAVENDORONLYFORTESTS",
    "AWS_SECRET_ACCESS_KEY": "only-for-tests",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

from ltdkeeper.databases import for_requests  # noqa: E402
from ltdkeeper.settings import *  # noqa: E402, F403

# As web processes use it.
DATABASES["default"] = for_requests(DATABASES["default"], threads=LTD_WEB_THREADS)  # noqa: F405
# However busy the machine is, whoever waits for its turn gets it.
if DATABASES["default"]["ENGINE"] == "ltdkeeper.sqlite":  # noqa: F405
    DATABASES["default"]["OPTIONS"]["timeout"] = 60  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Emptied before each test.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Each test's client would otherwise go through all static files as it starts.
WHITENOISE_AUTOREFRESH = True
